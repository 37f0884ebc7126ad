import { spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createConnection } from 'node:net';
import { createInterface } from 'node:readline';
import { setTimeout as delay } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';

const WITH_LIBVIRTD = fileURLToPath(new URL('../../scripts/with-libvirtd.sh', import.meta.url));
const START_TIMEOUT_MS = 40_000;

/**
 * Runs beside the daemon, in its mount namespace, and does what it is told line by line. After each line it says `done` and
 * the exit code, so that whoever told it knows.
 */
const BESIDE = `
echo "done 0"
while read -r line; do
  eval "$line" </dev/null >/dev/null 2>&1
  echo "done $?"
done
`;

/** Why no private libvirtd can be had here; undefined where it can. */
export function libvirtdMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'it takes root to mount a private /etc/libvirt';
  const { status } = spawnSync('sh', ['-c', 'command -v libvirtd virsh qemu-system-x86_64']);
  if (status !== 0) return 'libvirtd, virsh or qemu-system-x86_64 is not installed';
  const { status: unshared } = spawnSync('unshare', ['--mount', 'true']);
  return unshared === 0 ? undefined : 'mount namespaces are not available';
}

export interface PrivateLibvirtdOptions {
  /** What libvirt runs as its qemu hook. */
  hook?: string;
}

/**
 * A libvirtd of the test's own: its state is in a mount namespace and goes with it, its sockets are in a temporary directory
 * that everybody sees. `type='qemu'` domains start.
 */
export class PrivateLibvirtd {
  private constructor(
    /** Has the two sockets; more may be put there, and goes with the daemon. */
    readonly directory: string,
    private readonly process: ChildProcess,
    private readonly answers: AsyncIterator<string>,
  ) {}

  static async start({ hook }: PrivateLibvirtdOptions = {}): Promise<PrivateLibvirtd> {
    const directory = mkdtempSync(join(tmpdir(), 'libvirtd-'));
    const options = ['--socket-dir', directory, ...(hook ? ['--hook', hook] : [])];
    const child = spawn(WITH_LIBVIRTD, [...options, 'sh', '-c', BESIDE], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    const answers = createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
    const daemon = new PrivateLibvirtd(directory, child, answers);
    const late = setTimeout(() => child.kill('SIGTERM'), START_TIMEOUT_MS);
    try {
      await daemon.answer();
    } catch (error) {
      rmSync(directory, { recursive: true, force: true });
      throw error;
    } finally {
      clearTimeout(late);
    }
    return daemon;
  }

  get socket(): string {
    return join(this.directory, 'libvirt-sock');
  }

  get readOnlySocket(): string {
    return join(this.directory, 'libvirt-sock-ro');
  }

  /** What other clients connect to. */
  get uri(): string {
    return `qemu+unix:///system?socket=${this.socket}`;
  }

  /** Runs a line of shell in the daemon's mount namespace. */
  async run(line: string): Promise<void> {
    this.process.stdin!.write(`${line}\n`);
    await this.answer(line);
  }

  /** Ends the daemon without giving it a chance to say goodbye; its guests run on. */
  async kill(): Promise<void> {
    await this.run('kill -KILL "$(cat /run/libvirt/libvirtd.pid)"; rm -f /run/libvirt/libvirtd.pid');
    // The kernel takes its time, and takes connections meanwhile.
    while (await isListening(this.socket)) await delay(20);
  }

  /** Stops the daemon's threads: it keeps its connections and answers nothing. */
  async freeze(): Promise<void> {
    await this.run('kill -STOP "$(cat /run/libvirt/libvirtd.pid)"');
  }

  async thaw(): Promise<void> {
    await this.run('kill -CONT "$(cat /run/libvirt/libvirtd.pid)"');
  }

  /** Starts the daemon again after `kill`; it listens when this resolves. */
  async restart(): Promise<void> {
    await this.run('libvirtd --daemon --pid-file /run/libvirt/libvirtd.pid');
  }

  /** Ends the daemon and its guests. */
  async stop(): Promise<void> {
    if (this.process.exitCode === null) {
      const exited = once(this.process, 'exit');
      this.process.stdin!.end();
      await exited;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }

  private async answer(to = 'the start'): Promise<void> {
    const { value, done } = await this.answers.next();
    if (done) throw new Error(`the private libvirtd has ended before ${to}`);
    if (value !== 'done 0') throw new Error(`${to}: ${value}`);
  }
}

function isListening(path: string): Promise<boolean> {
  return new Promise((resolve) => {
    const socket = createConnection({ path });
    socket.once('error', () => resolve(false));
    socket.once('connect', () => {
      socket.destroy();
      resolve(true);
    });
  });
}
