import { spawn, type ChildProcessByStdio } from 'node:child_process';
import { createInterface } from 'node:readline';
import type { Readable, Writable } from 'node:stream';
import { MAX_CONFIG_BYTES } from './pci-function.js';

/** What one read of a `config` file gave. */
export type ConfigSpaceReading =
  /** `fileSize` is what stat says: sysfs gives 256 or 4,096. */
  { bytes: Uint8Array; fileSize: number } | { error: string } | { timedOut: true };

/**
 * Runs in the child: reads a file per line of input (a JSON string) and answers with a line each. It reads one byte
 * more than there can be, so that the parent notices a file that is too large.
 */
const CHILD = `
const fs = require('node:fs');
require('node:readline').createInterface({ input: process.stdin }).on('line', (line) => {
  let answer;
  try {
    const fd = fs.openSync(JSON.parse(line), 'r');
    try {
      const buffer = Buffer.alloc(${MAX_CONFIG_BYTES + 1});
      let length = 0;
      for (let got = 1; got > 0 && length < buffer.length; length += got) {
        got = fs.readSync(fd, buffer, length, buffer.length - length, null);
      }
      answer = { fileSize: fs.fstatSync(fd).size, base64: buffer.toString('base64', 0, length) };
    } finally {
      fs.closeSync(fd);
    }
  } catch (error) {
    answer = { error: String(error.code) };
  }
  process.stdout.write(JSON.stringify(answer) + '\\n');
});
process.stdout.write('ready\\n');
`;

/** On a busy machine Node takes its time to start; that says nothing of the device. */
const START_TIMEOUT_MS = 30_000;

/**
 * Reads `config` files in a process of its own. A read from a device that is lost can sleep in the kernel where no
 * signal reaches it; in this process it would hold one of the few threads that do all file access, and hold up the exit.
 * One process reads all files, one after the other; a file that takes too long costs the process, which is then left
 * behind, and the next file gets a new one.
 */
export class ConfigSpaceReader {
  private child: ChildProcessByStdio<Writable, Readable, null> | undefined;
  private settle: ((answer: string | undefined) => void) | undefined;

  /** @param timeoutMs milliseconds that one file may take */
  constructor(private readonly timeoutMs: number) {}

  /** Reads one file; call it again only after it has answered. */
  async read(path: string): Promise<ConfigSpaceReading> {
    if (!this.child) {
      this.child = this.start();
      if ((await this.nextLine(START_TIMEOUT_MS)) !== 'ready') {
        this.close();
        return { error: 'the reading process did not start' };
      }
    }
    this.child.stdin.write(`${JSON.stringify(path)}\n`);
    const answer = await this.nextLine(this.timeoutMs);
    if (answer === undefined) {
      const ended = this.child === undefined;
      this.close();
      return ended ? { error: 'the reading process ended' } : { timedOut: true };
    }
    const parsed = JSON.parse(answer) as { error: string } | { fileSize: number; base64: string };
    if ('error' in parsed) return parsed;
    return { bytes: new Uint8Array(Buffer.from(parsed.base64, 'base64')), fileSize: parsed.fileSize };
  }

  /** Ends the process without waiting for it: one that sleeps in the kernel ends only when the device answers. */
  close(): void {
    const child = this.child;
    if (!child) return;
    this.child = undefined;
    child.removeAllListeners();
    child.on('error', () => {});
    child.stdin.destroy();
    child.stdout.destroy();
    child.kill('SIGKILL');
    child.unref();
  }

  /** The next line of the process, or undefined where none comes in time or at all. */
  private nextLine(timeoutMs: number): Promise<string | undefined> {
    return new Promise((resolve) => {
      const timer = setTimeout(() => resolve(undefined), timeoutMs);
      this.settle = (line) => {
        clearTimeout(timer);
        resolve(line);
      };
    });
  }

  private start(): ChildProcessByStdio<Writable, Readable, null> {
    const child = spawn(process.execPath, ['-e', CHILD], { stdio: ['pipe', 'pipe', 'ignore'], env: {} });
    const ended = () => {
      if (this.child !== child) return;
      this.child = undefined;
      this.settle?.(undefined);
    };
    child.on('error', ended);
    child.on('exit', ended);
    // A write to a process that has just ended; `exit` reports it.
    child.stdin.on('error', () => {});
    createInterface({ input: child.stdout }).on('line', (line) => {
      if (this.child === child) this.settle?.(line);
    });
    return child;
  }
}
