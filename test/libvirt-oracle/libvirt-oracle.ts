import { spawn, spawnSync, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PYTHON = '/usr/bin/python3';
const SCRIPT = fileURLToPath(new URL('define.py', import.meta.url));

/** The first define probes QEMU for some seconds; later ones take milliseconds. */
const ANSWER_TIMEOUT_MS = 30_000;

export type DefineAnswer = { ok: true; xml: string } | { ok: false; error: string };
type Answer = { ok: boolean; xml?: string; error?: string };

interface Waiting {
  resolve(answer: Answer): void;
  reject(error: Error): void;
  timer: NodeJS.Timeout;
}

/** Why the oracle cannot run here; undefined where it can. */
export function libvirtMissing(): string | undefined {
  const probe = spawnSync(PYTHON, ['-c', 'import libvirt, lxml'], { timeout: 10_000, encoding: 'utf8' });
  if (probe.status !== 0) return 'python3-libvirt or python3-lxml is not installed';
  const qemu = spawnSync('qemu-system-x86_64', ['--version'], { timeout: 10_000 });
  return qemu.status === 0 ? undefined : 'qemu-system-x86_64 is not installed';
}

/** Whether python3-libvirt, python3-lxml and QEMU are installed. */
export function libvirtAvailable(): boolean {
  return libvirtMissing() === undefined;
}

/**
 * The real libvirt (its embedded QEMU driver, in a child process of its own), asked what it makes of a domain document.
 * Requests are answered in the order they were made.
 */
export class LibvirtOracle {
  private readonly waiting: Waiting[] = [];
  private ended: Error | undefined;
  private stderr = '';

  private constructor(
    private readonly child: ChildProcessWithoutNullStreams,
    private readonly releaseRoot: () => void,
  ) {
    process.once('exit', this.killAtExit);
    createInterface({ input: child.stdout }).on('line', (line) => {
      const next = this.waiting.shift();
      if (!next) return;
      clearTimeout(next.timer);
      next.resolve(JSON.parse(line) as Answer);
    });
    child.stderr.on('data', (chunk: Buffer) => {
      this.stderr = (this.stderr + chunk.toString()).slice(-2000);
    });
    child.stdin.on('error', () => undefined);
    child.on('error', (error) => this.end(error));
    child.on('exit', (code, signal) => {
      this.end(new Error(`the libvirt oracle ended (${signal ?? code}): ${this.stderr.trim()}`));
    });
  }

  /** Starts the child and waits until libvirt has answered once, so that its probing is not part of the first define. */
  static async start(): Promise<LibvirtOracle> {
    const root = takeRoot();
    const child = spawn(PYTHON, [SCRIPT, root.path], { stdio: 'pipe' });
    const oracle = new LibvirtOracle(child, root.release);
    await oracle.define('<domain/>');
    return oracle;
  }

  /**
   * Defines the domain, reads its inactive document back and undefines it again.
   *
   * @param name what to call the document should libvirt hang on it
   */
  async define(xml: string, name = 'a document'): Promise<DefineAnswer> {
    return (await this.ask({ define: xml }, name)) as DefineAnswer;
  }

  /** Whether libxml2, with the limits that libvirt uses, reads the document. */
  async wellFormed(xml: string): Promise<boolean> {
    return (await this.ask({ wellFormed: xml }, 'a document')).ok;
  }

  close(): void {
    process.off('exit', this.killAtExit);
    this.end(new Error('the libvirt oracle was closed'));
    this.child.kill('SIGKILL');
    this.releaseRoot();
  }

  private ask(request: object, name: string): Promise<Answer> {
    if (this.ended) return Promise.reject(this.ended);
    return new Promise((resolve, reject) => {
      const timer = setTimeout(() => {
        // What comes later could not be told from this answer: the child is of no use any more.
        this.end(new Error(`libvirt gave no answer for ${name} within ${ANSWER_TIMEOUT_MS} ms`));
        this.child.kill('SIGKILL');
      }, ANSWER_TIMEOUT_MS);
      this.waiting.push({ resolve, reject, timer });
      this.child.stdin.write(`${JSON.stringify(request)}\n`);
    });
  }

  private end(error: Error): void {
    this.ended ??= error;
    for (const next of this.waiting.splice(0)) {
      clearTimeout(next.timer);
      next.reject(this.ended);
    }
  }

  private readonly killAtExit = () => {
    this.child.kill('SIGKILL');
    this.releaseRoot();
  };
}

/**
 * A root directory for the embedded driver. It is kept between runs, for the QEMU capabilities in it; a second oracle at
 * the same time gets one of its own, since libvirt locks the root.
 */
function takeRoot(): { path: string; release: () => void } {
  const user = userInfo().uid;
  const path = join(tmpdir(), `libvirt-oracle-${user}`);
  mkdirSync(path, { recursive: true, mode: 0o700 });
  if (statSync(path).uid !== user) throw new Error(`${path} belongs to another user: remove it`);
  const lock = join(path, 'in-use-by');
  try {
    if (!isAlive(Number(readFileSync(lock, 'utf8')))) rmSync(lock);
  } catch {
    // Nobody holds it.
  }
  try {
    writeFileSync(lock, String(process.pid), { flag: 'wx' });
    return { path, release: () => rmSync(lock, { force: true }) };
  } catch {
    const own = mkdtempSync(join(tmpdir(), 'libvirt-oracle-'));
    return { path: own, release: () => rmSync(own, { recursive: true, force: true }) };
  }
}

function isAlive(pid: number): boolean {
  try {
    return process.kill(pid, 0);
  } catch {
    return false;
  }
}
