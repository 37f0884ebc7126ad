import { execFile } from 'node:child_process';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { FixtureHost } from '../fixtures/host/fixture-host.js';
import { policyOf } from '../fixtures/scenario.js';
import { ProxyStand, type StandOptions } from './proxy-stand.js';

const COMMAND_TIMEOUT_MS = 100_000;
const PROGRAM_TIMEOUT_MS = 240_000;
const CLIENTS = fileURLToPath(new URL('clients/', import.meta.url));

/** What the host's devices need is a conventional bus, for domains that have not run yet. */
export const CONVENTIONAL_BUS = policyOf(
  '{ name: closed, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: before-first-run, uncovered: warn }',
);

/** The same where nothing may be done about it, so that every assigned device is refused. */
export const NOTHING_HELPS = policyOf(
  '{ name: closed, mode: enforce, require: [unassigned-extended], mitigations: [], topologyChange: never, uncovered: deny }',
);

/** A fixture host and the proxy in front of its libvirt, and the clients that people use. */
export class ProxiedHost {
  private constructor(
    readonly host: FixtureHost,
    readonly stand: ProxyStand,
  ) {}

  static async start(options: Partial<StandOptions> = {}): Promise<ProxiedHost> {
    const host = await FixtureHost.start();
    const { socket: upstream, directory } = host;
    const stand = new ProxyStand({ upstream, directory, policy: CONVENTIONAL_BUS, ...options });
    try {
      await stand.start();
    } catch (error) {
      await host.stop();
      throw error;
    }
    return new ProxiedHost(host, stand);
  }

  async stop(): Promise<void> {
    await this.stand.stop();
    await this.host.stop();
  }

  /**
   * Runs virsh through the proxy.
   *
   * @throws with its standard error in the message where it fails
   */
  async virsh(...command: string[]): Promise<string> {
    return this.virshAs({}, ...command);
  }

  /** The same with variables in its environment, such as EDITOR. */
  async virshAs(environment: NodeJS.ProcessEnv, ...command: string[]): Promise<string> {
    const { stdout } = await promisify(execFile)(
      'virsh',
      ['--connect', this.stand.uri, '--quiet', ...command],
      {
        timeout: COMMAND_TIMEOUT_MS,
        env: { ...process.env, ...environment },
      },
    );
    return stdout;
  }

  /** Runs a program of `clients/` on the proxy's URI; what it prints is JSON. */
  async python<T>(program: string, ...args: string[]): Promise<T> {
    const { stdout } = await promisify(execFile)(
      '/usr/bin/python3',
      [join(CLIENTS, program), this.stand.uri, ...args],
      { timeout: PROGRAM_TIMEOUT_MS },
    );
    return JSON.parse(stdout) as T;
  }

  /** A file that clients can name. */
  file(name: string, content = ''): string {
    const path = join(this.host.directory, name);
    writeFileSync(path, content);
    return path;
  }

  async define(xml: string): Promise<void> {
    await this.virsh('define', this.file('domain.xml', xml));
  }

  /** Ends and forgets all domains, and what the stand knows of them. */
  async clear(): Promise<void> {
    for (const name of (await this.host.virsh('list', '--all', '--name')).split('\n').filter(Boolean)) {
      await this.host.virsh('destroy', name).catch(() => undefined);
      await this.host
        .virsh('undefine', name, '--managed-save', '--snapshots-metadata')
        .catch(() => undefined);
    }
    this.stand.registry.forgetGone(new Date(Date.now() + 1));
    this.stand.journal.events.length = 0;
    this.stand.journal.decisions.length = 0;
    this.stand.refusals.length = 0;
  }

  /**
   * The QEMU model of the bridge or port that the guest has a host function on, as QEMU itself tells; undefined where the
   * guest does not have the function.
   */
  async plugOf(domain: string, bdf: string): Promise<string | undefined> {
    return plugOf(await this.host.virsh('qemu-monitor-command', domain, '--hmp', 'info qtree'), bdf);
  }
}

function plugOf(qtree: string, bdf: string): string | undefined {
  const above: { indent: number; model: string }[] = [];
  for (const line of qtree.split('\n')) {
    const device = /^( *)dev: ([\w-]+), id/.exec(line);
    if (device) {
      const indent = device[1]!.length;
      while (above.length > 0 && above.at(-1)!.indent >= indent) above.pop();
      above.push({ indent, model: device[2]! });
    } else if (line.includes(`serial = "${bdf}"`)) return above.at(-2)?.model;
  }
  return undefined;
}
