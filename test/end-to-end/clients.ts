import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import type { Outcome } from './running-service.js';

const PROGRAMS = fileURLToPath(new URL('clients.py', import.meta.url));
/** Milliseconds: hundreds of domains are started by some clients. */
const CLIENT_TIMEOUT_MS = 280_000;

/** virsh on a connection of the test's choice. */
export function virsh(uri: string, ...command: string[]): Promise<Outcome> {
  return run('virsh', ['--connect', uri, '--quiet', ...command]);
}

/** What one of the clients in clients.py has to say, one value a line. */
export async function clients<T>(program: string, ...args: string[]): Promise<T[]> {
  const { code, stdout, stderr } = await run('/usr/bin/python3', [PROGRAMS, program, ...args]);
  if (code !== 0) throw new Error(stderr);
  return stdout
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

export interface LastCall {
  /** The domain that was being defined. */
  name: string;
  /** Whether the client thought its connection alive, 0 or 1. */
  alive: number;
  code: number;
  message: string;
}

/** Clients that each define one domain with an NVMe controller after the other, until their connection ends. */
export class LoopingClients {
  private readonly defined: string[] = [];
  private readonly ended: LastCall[] = [];
  private readonly over: Promise<unknown>;

  private constructor(private readonly child: ChildProcess) {
    this.over = once(child, 'close');
    const lines = createInterface({ input: child.stdout! });
    lines.on('line', (line) => {
      const seen = JSON.parse(line) as { defined?: string; ended?: string } & Omit<LastCall, 'name'>;
      if (seen.defined !== undefined) this.defined.push(seen.defined);
      if (seen.ended !== undefined) this.ended.push({ ...seen, name: seen.ended });
    });
  }

  static start(uri: string, count: number): LoopingClients {
    const command = [PROGRAMS, 'define-until-disconnected', uri, `${count}`];
    return new LoopingClients(spawn('/usr/bin/python3', command, { stdio: ['ignore', 'pipe', 'inherit'] }));
  }

  /** Waits until so many domains are defined. */
  async haveDefined(count: number): Promise<void> {
    const deadline = Date.now() + CLIENT_TIMEOUT_MS;
    while (this.defined.length < count) {
      if (this.child.exitCode !== null || Date.now() > deadline) {
        throw new Error(
          `${this.defined.length} domains were defined; the clients: ${JSON.stringify(this.ended)}`,
        );
      }
      await sleep(5);
    }
  }

  /** What they saw, once all have ended. */
  async seen(): Promise<{ defined: readonly string[]; ended: readonly LastCall[] }> {
    await this.over;
    return { defined: this.defined, ended: this.ended };
  }
}

function run(command: string, args: readonly string[]): Promise<Outcome> {
  const options = {
    timeout: CLIENT_TIMEOUT_MS,
    maxBuffer: 64 * 2 ** 20,
    env: { ...process.env, LC_ALL: 'C' },
  };
  return new Promise((resolve) => {
    execFile(command, args, options, (error, stdout, stderr) =>
      resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr }),
    );
  });
}
