import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const file = (path: string) => fileURLToPath(new URL(path, import.meta.url));

export const HOOK = file('../../hooks/qemu');
export const INSTALL = file('../../deploy/install-hook.sh');
const OWN_DIRECTORIES = file('own-directories.sh');
const WITH_LIBVIRTD = file('../../scripts/with-libvirtd.sh');
const INVENTORY = file('../fixtures/inventory/node.json');

/** Seconds after which a command counts as hung. */
const COMMAND_SECONDS = 60;

export interface Outcome {
  status: number;
  stdout: string;
  stderr: string;
  milliseconds: number;
}

/** A machine of its own as far as the hook sees one: a mount namespace, with a libvirtd where asked for. */
export class HookHost {
  private constructor(
    private readonly holder: ChildProcess,
    private readonly pid: number,
    /** Seen inside and outside alike. */
    readonly directory: string,
  ) {}

  /** @param libvirtd options for `with-libvirtd.sh`; without them there is no daemon */
  static async start(libvirtd?: readonly string[]): Promise<HookHost> {
    const directory = await mkdtemp(join(tmpdir(), 'hook-'));
    const daemon = libvirtd === undefined ? [] : [WITH_LIBVIRTD, ...libvirtd];
    const holder = spawn(OWN_DIRECTORIES, [...daemon, 'sh', '-c', 'echo "pid $$"; exec sleep infinity'], {
      stdio: ['ignore', 'pipe', 'inherit'],
      cwd: file('../..'),
    });
    for await (const line of createInterface(holder.stdout)) {
      const pid = /^pid (\d+)$/.exec(line)?.[1];
      if (pid !== undefined) return new HookHost(holder, Number(pid), directory);
    }
    throw new Error('the namespace did not come up');
  }

  /** With the PCI devices of the fixture node, and our hook or another one (`null` for none) as libvirt's. */
  static withLibvirtd(hook: string | null = HOOK): Promise<HookHost> {
    return HookHost.start(['--host', INVENTORY, ...(hook === null ? [] : ['--hook', hook])]);
  }

  get socket(): string {
    return join(this.directory, 'hook.sock');
  }

  async stop(): Promise<void> {
    const ended = once(this.holder, 'exit');
    this.holder.kill();
    await ended;
    await rm(this.directory, { recursive: true, force: true });
  }

  run(command: string, args: readonly string[], stdin: string | Buffer = ''): Promise<Outcome> {
    const inside = ['--mount', '--target', `${this.pid}`, 'timeout', `${COMMAND_SECONDS}`, command, ...args];
    return runCommand('nsenter', inside, stdin);
  }

  virsh(...args: string[]): Promise<Outcome> {
    return this.run('virsh', ['--connect', 'qemu:///system', ...args]);
  }

  /** Writes a file of the host; its directory must be there. */
  async write(path: string, text: string): Promise<void> {
    const { status, stderr } = await this.run('sh', ['-c', 'cat >"$1"', 'sh', path], text);
    if (status !== 0) throw new Error(stderr);
  }

  /** What `/etc/vfio-warden/hook.conf` says. */
  configure(settings: Readonly<Record<string, string>>): Promise<void> {
    const lines = Object.entries({ SOCKET: this.socket, ...settings }).map(
      ([key, value]) => `${key}=${value}\n`,
    );
    return this.write('/etc/vfio-warden/hook.conf', lines.join(''));
  }
}

async function runCommand(
  command: string,
  args: readonly string[],
  stdin: string | Buffer,
): Promise<Outcome> {
  const startedAt = performance.now();
  const child = spawn(command, args, { env: { ...process.env, LC_ALL: 'C' } });
  // A command need not read what it is given.
  child.stdin.on('error', () => {}).end(stdin);
  const output = { stdout: '', stderr: '' };
  child.stdout.setEncoding('utf8').on('data', (text: string) => (output.stdout += text));
  child.stderr.setEncoding('utf8').on('data', (text: string) => (output.stderr += text));
  const [status] = (await once(child, 'close')) as [number | null];
  return { status: status ?? -1, ...output, milliseconds: performance.now() - startedAt };
}
