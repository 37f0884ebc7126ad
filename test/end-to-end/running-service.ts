import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compiledService, REPOSITORY } from './compiled-service.js';

/** Milliseconds for what takes two seconds on a quiet machine. */
const PATIENCE_MS = 30_000;

/** How the systemd unit starts Node: what it takes of memory hangs on that. */
const UNIT = readUnit();
/** Its flags. */
export const SERVICE_FLAGS: readonly string[] = UNIT.flags;

function readUnit(): { flags: string[]; arenas: string } {
  const unit = readFileSync(join(REPOSITORY, 'deploy/systemd/vfio-warden.service'), 'utf8');
  const [, flags] = /^ExecStart=\S+\/node (.*) \S+\/main\.js$/m.exec(unit)!;
  const [, arenas] = /^Environment=.*\bMALLOC_ARENA_MAX=(\d+)/m.exec(unit)!;
  return { flags: flags!.split(' '), arenas: arenas! };
}

export interface Outcome {
  code: number;
  stdout: string;
  stderr: string;
}

export interface ApiAnswer<T> {
  status: number;
  body: T;
}

export interface ServiceOptions {
  /** What is the service's own: sockets, state, log. It must be there. */
  directory: string;
  libvirtSocket: string;
  /** Settings that differ, by the names of their environment variables. */
  environment?: Readonly<Record<string, string>>;
  /** What is put before the command; it must become the command, not have it as a child. */
  launcher?: readonly string[];
}

/** The real service, a process of its own. */
export class RunningService {
  private child: ChildProcess | undefined;
  private lines = '';

  private constructor(private readonly options: ServiceOptions) {}

  /** Started, and answering; not yet ready unless libvirt is there. */
  static async start(options: ServiceOptions): Promise<RunningService> {
    const service = new RunningService(options);
    await service.begin();
    return service;
  }

  get socket(): string {
    return join(this.options.directory, 'libvirt-sock');
  }

  /** What libvirt's clients use. */
  get uri(): string {
    return `qemu+unix:///system?socket=${this.socket}`;
  }

  get stateDirectory(): string {
    return join(this.options.directory, 'state');
  }

  /** A path as the service sees it, where that is in a mount namespace of its own. */
  pathInside(path: string): string {
    return `/proc/${this.child!.pid}/root${path}`;
  }

  /** What it has logged since it was started last. */
  get log(): string {
    return this.lines;
  }

  /** Starts it again where it has ended. */
  async begin(): Promise<void> {
    const { libvirtSocket, environment, launcher = [] } = this.options;
    const main = join(compiledService(), 'dist/main.js');
    const [command, ...args] = [...launcher, process.execPath, ...UNIT.flags, main];
    const child = spawn(command!, args, {
      env: {
        ...process.env,
        MALLOC_ARENA_MAX: UNIT.arenas,
        WARDEN_POLICIES: join(REPOSITORY, 'policies/examples'),
        WARDEN_INVENTORY: join(REPOSITORY, 'test/fixtures/inventory/node.json'),
        WARDEN_HOST_NAME: 'node-1',
        // What is new comes into force at once, whatever it changes.
        WARDEN_POLICY_BRAKE: '100',
        WARDEN_STATE_DIRECTORY: this.stateDirectory,
        WARDEN_LISTEN: `unix:${this.apiSocket}`,
        WARDEN_PROXY_SOCKET: this.socket,
        WARDEN_PROXY_SOCKET_GROUP: 'root',
        WARDEN_HOOK_SOCKET: join(this.options.directory, 'hook.sock'),
        WARDEN_LIBVIRT_SOCKET: libvirtSocket,
        ...environment,
      },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    this.child = child;
    this.lines = '';
    const keep = (text: string) => void (this.lines += text);
    child.stdout.setEncoding('utf8').on('data', keep);
    child.stderr.setEncoding('utf8').on('data', keep);
    await this.until('it answers', async () => (await this.api('/healthz')).status === 200);
  }

  /** Waits until VMs can rely on it: libvirt is connected, and every domain was looked at. */
  async ready(): Promise<void> {
    await this.until('it is ready', async () => (await this.api('/readyz')).status === 200);
    await this.until('the domains are known', () => this.log.includes(' domains reconciled in '));
  }

  /** As systemd stops it. @returns its exit code */
  stop(): Promise<number | null> {
    return this.end('SIGTERM');
  }

  /** As the kernel ends it when memory is short. */
  async kill(): Promise<void> {
    await this.end('SIGKILL');
  }

  /** As `systemctl reload` does. */
  reload(): void {
    this.child!.kill('SIGHUP');
  }

  /** wardenctl, as an operator of this host has it. */
  ctl(...command: string[]): Promise<Outcome> {
    const env = {
      ...process.env,
      WARDEN_SERVER: `unix:${this.apiSocket}`,
      WARDEN_STATE_DIRECTORY: this.stateDirectory,
    };
    return new Promise((resolve) => {
      const program = [join(compiledService(), 'dist/cli/wardenctl.js'), ...command];
      execFile(process.execPath, program, { env, timeout: PATIENCE_MS }, (error, stdout, stderr) =>
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
      );
    });
  }

  /** Asks the API; a body in JSON is parsed. */
  async api<T = Record<string, unknown>>(path: string, method = 'GET'): Promise<ApiAnswer<T>> {
    const asked = request({ socketPath: this.apiSocket, path, method, timeout: PATIENCE_MS }).end();
    const [response] = (await once(asked, 'response')) as [IncomingMessage];
    let text = '';
    for await (const part of response.setEncoding('utf8')) text += part as string;
    const json = /json/.test(response.headers['content-type'] ?? '');
    return { status: response.statusCode!, body: (json ? JSON.parse(text) : text) as T };
  }

  /** Every page of a list, newest first. */
  async list<T>(path: string): Promise<T[]> {
    const items: T[] = [];
    const more = path.includes('?') ? '&' : '?';
    let next: string | undefined;
    do {
      const cursor = next === undefined ? '' : `&cursor=${encodeURIComponent(next)}`;
      const { body } = await this.api<{ items: T[]; next?: string }>(`${path}${more}limit=100${cursor}`);
      items.push(...body.items);
      next = body.next;
    } while (next !== undefined);
    return items;
  }

  /** @throws Error with the last lines of the log where it does not come true, or the service ends meanwhile */
  async until(what: string, isTrue: () => boolean | Promise<boolean>): Promise<void> {
    const deadline = Date.now() + PATIENCE_MS;
    for (;;) {
      try {
        if (await isTrue()) return;
      } catch (error) {
        if (!(error instanceof Error && 'code' in error)) throw error;
      }
      if (this.child?.exitCode !== null || this.child.signalCode !== null || Date.now() > deadline) {
        throw new Error(`not so: ${what}; the service's log: ${this.lines.slice(-2000)}`);
      }
      await sleep(20);
    }
  }

  private async end(signal: NodeJS.Signals): Promise<number | null> {
    const { child } = this;
    if (child?.exitCode === null && child.signalCode === null) {
      const exit = once(child, 'exit');
      child.kill(signal);
      await exit;
    }
    return child?.exitCode ?? null;
  }

  private get apiSocket(): string {
    return join(this.options.directory, 'api.sock');
  }
}
