import { execFile, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';

const WITH_MODULAR = fileURLToPath(new URL('../../scripts/with-modular-libvirt.sh', import.meta.url));
const TREE = process.env['WARDEN_TRIXIE_TREE'] ?? '/var/cache/vfio-warden-test/trixie';
const LIBRARIES = join(TREE, 'usr/lib/x86_64-linux-gnu');

/** The first answer waits for probes of QEMU. */
const COMMAND_TIMEOUT_MS = 60_000;

/** Why no modular daemons can be had here; undefined where they can. */
export function modularHostMissing(): string | undefined {
  if (process.getuid?.() !== 0) return 'it needs root';
  if (!existsSync(join(TREE, 'usr/sbin/virtnetworkd')))
    return `${TREE} is not there; scripts/with-modular-libvirt.sh --prepare makes it (a network is needed)`;
  const namespace = spawnSync('unshare', ['--mount', 'true'], { timeout: 10_000 });
  return namespace.status === 0 ? undefined : 'mount namespaces are not permitted';
}

/** A real virtqemud and virtnetworkd of libvirt 11, with QEMU 10. */
export class ModularHost {
  private constructor(
    private readonly child: ChildProcess,
    /** A directory of its own, the same for the daemons; it holds their sockets. */
    readonly directory: string,
  ) {}

  static async start(): Promise<ModularHost> {
    const directory = mkdtempSync(join(tmpdir(), 'warden-modular-'));
    // It ends with its standard input: also when this process is killed.
    const command = ['sh', '-c', 'echo ready; exec cat'];
    const child = spawn(WITH_MODULAR, ['--socket-dir', directory, ...command], { stdio: 'pipe' });
    let stderr = '';
    child.stderr.on('data', (chunk: Buffer) => {
      stderr = (stderr + chunk.toString()).slice(-2000);
    });
    const ready = once(createInterface({ input: child.stdout }), 'line');
    const ended = once(child, 'exit').then(() => {
      rmSync(directory, { recursive: true, force: true });
      throw new Error(`the modular daemons did not start: ${stderr.trim()}`);
    });
    await Promise.race([ready, ended]);
    ended.catch(() => undefined);
    return new ModularHost(child, directory);
  }

  get qemuSocket(): string {
    return join(this.directory, 'virtqemud-sock');
  }

  get networkSocket(): string {
    return join(this.directory, 'virtnetworkd-sock');
  }

  /**
   * Runs the virsh of this machine.
   *
   * @returns its standard output
   * @throws with its standard error in the message where it fails
   */
  virsh(uri: string, ...command: string[]): Promise<string> {
    return output('virsh', ['--connect', uri, '--quiet', ...command]);
  }

  /** Runs the virsh of libvirt 11, as `virsh` does. */
  virsh11(uri: string, ...command: string[]): Promise<string> {
    const program = [join(TREE, 'usr/bin/virsh'), '--connect', uri, '--quiet', ...command];
    return output(join(TREE, 'lib64/ld-linux-x86-64.so.2'), ['--library-path', LIBRARIES, ...program]);
  }

  /** Ends the guests and the daemons. */
  async stop(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const exit = once(this.child, 'exit');
      this.child.stdin?.end();
      await exit;
    }
    rmSync(this.directory, { recursive: true, force: true });
  }
}

async function output(program: string, args: string[]): Promise<string> {
  const env = { ...process.env, LC_ALL: 'C' };
  return (await promisify(execFile)(program, args, { timeout: COMMAND_TIMEOUT_MS, env })).stdout;
}
