import { chmodSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { FixtureHost } from '../fixtures/host/fixture-host.js';
import { REPOSITORY } from './compiled-service.js';
import { clients } from './clients.js';
import { RunningService } from './running-service.js';

const HOOK = join(REPOSITORY, 'hooks/qemu');
const HOOK_CONFIGURATION = '/etc/vfio-warden/hook.conf';

/** A host whose libvirt asks our hook, and a place for the service that answers it. */
export class GuardedHost {
  private constructor(
    readonly libvirt: FixtureHost,
    readonly directory: string,
  ) {}

  /** @param inventory the text of one; by default the fixture node's */
  static async start(inventory?: string): Promise<GuardedHost> {
    // Short: the sockets' paths must fit into 107 bytes.
    const directory = mkdtempSync(join(tmpdir(), 'warden-'));
    const hook = join(directory, 'hook');
    writeFileSync(
      hook,
      readFileSync(HOOK, 'utf8').replaceAll(HOOK_CONFIGURATION, join(directory, 'hook.conf')),
    );
    chmodSync(hook, 0o755);
    const devices = join(directory, 'inventory.json');
    if (inventory !== undefined) writeFileSync(devices, inventory);
    const libvirt = await FixtureHost.start({ hook, ...(inventory !== undefined && { inventory: devices }) });
    const host = new GuardedHost(libvirt, directory);
    host.configureHook();
    return host;
  }

  /** What the hook does without an answer. */
  configureHook(failure: 'closed' | 'open' = 'closed'): void {
    const settings = {
      SOCKET: join(this.directory, 'hook.sock'),
      MODE_FILE: join(this.directory, 'state/mode'),
      FAILURE: failure,
    };
    const lines = Object.entries(settings).map(([key, value]) => `${key}=${value}\n`);
    writeFileSync(join(this.directory, 'hook.conf'), lines.join(''));
  }

  /** Starts the service in front of this host's libvirt, and waits until it is ready. */
  async serve(
    environment: Readonly<Record<string, string>> = {},
    launcher: readonly string[] = [],
  ): Promise<RunningService> {
    const service = await this.launch(environment, launcher);
    await service.ready();
    return service;
  }

  /** Starts it without waiting for more than an answer. */
  launch(
    environment: Readonly<Record<string, string>> = {},
    launcher: readonly string[] = [],
  ): Promise<RunningService> {
    const { directory, libvirt } = this;
    return RunningService.start({ directory, libvirtSocket: libvirt.socket, environment, launcher });
  }

  /** Writes a document to a file. */
  file(name: string, xml: string): string {
    const path = join(this.directory, name);
    writeFileSync(path, xml);
    return path;
  }

  /** Ends and undefines every domain, around the service. */
  async clear(): Promise<void> {
    await clients('clear', this.libvirt.uri);
  }

  async stop(): Promise<void> {
    await this.libvirt.stop();
    rmSync(this.directory, { recursive: true, force: true });
  }
}
