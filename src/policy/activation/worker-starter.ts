import { spawn, type ChildProcess } from 'node:child_process';
import type { Socket } from 'node:net';

/** Megabytes of a worker's heap: a document that needs more is refused, and nothing else suffers. */
const MAX_HEAP_MB = 512;
/** It is over in seconds, and the host's memory is the guests': collected early rather than kept. */
const NODE_FLAGS = [
  `--max-old-space-size=${MAX_HEAP_MB}`,
  '--max-semi-space-size=4',
  '--heap-growing-percent=15',
];
/** Reads how much nicer the next worker is to be, starts it, and says how it ended: 128 and the signal where one ended it. */
const SHELL = 'while read -r nicer; do nice -n "$nicer" setpriv --pdeathsig KILL "$@"; echo "$?"; done';
/** Of what a worker says before it ends by itself. */
const MAX_STDERR = 4096;

/** How a worker ended. */
export interface Ending {
  /** 0 by itself, 128 and the signal's number where one ended it; undefined where the shell is gone. */
  status: number | undefined;
  /** The last of what it wrote to its standard error. */
  said: string;
}

/** A process that waits for its `PolicyJob`, or works on it. */
export interface Worker {
  /** Carries messages to it and from it. */
  channel: ChildProcess;
  ended: Promise<Ending>;
}

/**
 * Starts workers, one at a time. A small shell does so, which is started itself while this process is small: a fork keeps
 * whoever forks waiting until the tables of its memory are copied and the new program runs, and decisions with it. All of them
 * end with this process.
 */
export class WorkerStarter {
  private shell: ChildProcess | undefined;
  private waiting: Worker | undefined;
  private atEnd: ((status?: number, why?: string) => void) | undefined;

  /** @param program the compiled `policy-worker.ts` */
  constructor(private readonly program: string) {}

  /**
   * Starts a worker, which waits until it is taken.
   *
   * @param nicer what is added to `nice`: nothing where the service waits for it
   */
  startAhead(nicer: number): void {
    const channel = (this.shell ??= this.openShell());
    let said = '';
    const listen = (text: Buffer) => (said = (said + text.toString()).slice(-MAX_STDERR));
    channel.stderr!.on('data', listen);
    const ended = new Promise<Ending>((resolve) => {
      this.atEnd = (status, why = said.trim()) => {
        channel.stderr!.off('data', listen);
        this.waiting = undefined;
        resolve({ status, said: why });
      };
    });
    channel.stdin!.write(`${nicer}\n`);
    this.waiting = { channel, ended };
  }

  /** @returns the worker that waits, or a new one; the one before has ended, or was discarded */
  take(nicer: number): Worker {
    if (!this.waiting) this.startAhead(nicer);
    const worker = this.waiting!;
    this.waiting = undefined;
    return worker;
  }

  /** Ends the worker; resolves when it is gone. The shell goes, too: there may be half a message in its channel. */
  async discard(): Promise<void> {
    const { shell } = this;
    this.shell = undefined;
    this.waiting = undefined;
    if (!shell || shell.pid === undefined) return;
    const gone = new Promise((resolve) => shell.once('close', resolve));
    shell.kill('SIGKILL');
    await gone;
  }

  private openShell(): ChildProcess {
    const starter = ['--pdeathsig', 'KILL', '/bin/sh', '-c', SHELL, 'sh'];
    const shell = spawn('setpriv', [...starter, process.execPath, ...NODE_FLAGS, this.program], {
      stdio: ['pipe', 'pipe', 'pipe', 'ipc'],
      serialization: 'advanced',
    });
    const lost = (why: unknown) => {
      if (this.shell !== shell) return;
      this.shell = undefined;
      this.atEnd?.(undefined, why instanceof Error ? why.message : undefined);
    };
    // Who gives it a job finds out, perhaps later.
    shell.on('error', lost).on('close', lost);
    shell.stdin!.on('error', () => undefined);
    shell.stdout!.on('data', (line: Buffer) => this.atEnd?.(Number(line.toString())));
    // It waits as long as this process does, and no longer.
    for (const stream of [shell.stdin, shell.stdout, shell.stderr]) (stream as Socket).unref();
    shell.channel?.unref();
    shell.unref();
    return shell;
  }
}
