import { spawn, type ChildProcessWithoutNullStreams } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const PYTHON = '/usr/bin/python3';
const SCRIPT = fileURLToPath(new URL('baselines.py', import.meta.url));
const ANSWER_TIMEOUT_MS = 60_000;

/** Times in milliseconds, or why there are none. */
export type Times = { ms: number[] } | { missing: string };

/** A long-lived Python process that times lxml and libvirt in itself. */
export class Baselines {
  private readonly root = mkdtempSync(join(tmpdir(), 'vfio-warden-bench-'));
  private readonly child: ChildProcessWithoutNullStreams;
  private readonly answers: AsyncIterator<string>;
  private stderr = '';

  constructor() {
    this.child = spawn(PYTHON, [SCRIPT, this.root], { stdio: 'pipe' });
    this.child.on('error', () => {});
    this.child.stdin.on('error', () => {});
    this.child.stderr.on('data', (chunk) => (this.stderr = `${this.stderr}${chunk}`.slice(-2_000)));
    this.answers = createInterface({ input: this.child.stdout })[Symbol.asyncIterator]();
  }

  /** lxml making the same bridge edit, `count` times. */
  lxml(xml: string, count: number): Promise<Times> {
    return this.ask({ lxml: xml, count });
  }

  /** Libvirt defining the domain, `count` times. */
  define(xml: string, count: number): Promise<Times> {
    return this.ask({ define: xml, count });
  }

  close(): void {
    this.child.kill('SIGKILL');
    rmSync(this.root, { recursive: true, force: true });
  }

  private async ask(request: object): Promise<Times> {
    const timer = setTimeout(() => this.child.kill('SIGKILL'), ANSWER_TIMEOUT_MS);
    this.child.stdin.write(`${JSON.stringify(request)}\n`);
    const line = await this.answers.next();
    clearTimeout(timer);
    if (line.done) return { missing: this.stderr.trim().split('\n').at(-1) || `${PYTHON} gave no answer` };
    const answer = JSON.parse(line.value) as { ns?: number[]; error?: string };
    return answer.ns ? { ms: answer.ns.map((ns) => ns / 1e6) } : { missing: answer.error! };
  }
}
