import { spawn } from 'node:child_process';

export interface AskOptions {
  /** Milliseconds until the program, and all that it has started, is killed. */
  timeoutMs: number;
  /** Of standard output and standard error each. */
  maxBytes: number;
  /** In the place of this process's environment. */
  env?: NodeJS.ProcessEnv;
}

/**
 * What a program says that may hang, die or talk without end. It runs in a process group of its own: what a wrapper script has
 * started would keep its output open after the script was killed.
 *
 * @throws Error with the reason where it did not end by itself, with 0
 */
export function askProgram(
  path: string,
  args: readonly string[],
  { timeoutMs, maxBytes, env = process.env }: AskOptions,
): Promise<{ stdout: string; stderr: string }> {
  return new Promise((resolve, reject) => {
    const child = spawn(path, args, { env, detached: true, stdio: ['ignore', 'pipe', 'pipe'] });
    const said = { stdout: [] as Buffer[], stderr: [] as Buffer[] };
    const giveUp = (reason: string) => {
      if (child.pid !== undefined) killGroup(child.pid);
      child.stdout.destroy();
      child.stderr.destroy();
      settle(() => reject(new Error(reason)));
    };
    const timer = setTimeout(() => giveUp(`it does not answer within ${timeoutMs / 1000} s`), timeoutMs);
    const settle = (outcome: () => void) => {
      clearTimeout(timer);
      outcome();
    };
    for (const name of ['stdout', 'stderr'] as const) {
      let bytes = 0;
      child[name].on('data', (chunk: Buffer) => {
        said[name].push(chunk);
        if ((bytes += chunk.length) > maxBytes) giveUp(`it says more than ${maxBytes} bytes`);
      });
    }
    child.on('error', (error) => settle(() => reject(error)));
    child.on('close', (code, signal) => {
      const text = (name: keyof typeof said) => Buffer.concat(said[name]).toString('utf8');
      if (code === 0) settle(() => resolve({ stdout: text('stdout'), stderr: text('stderr') }));
      else {
        const ended = code === null ? `was ended by ${signal}` : `ended with ${code}`;
        const words = text('stderr').trim().split('\n')[0]!.slice(0, 200);
        settle(() => reject(new Error(`it ${ended}${words === '' ? '' : `: ${words}`}`)));
      }
    });
  });
}

function killGroup(leader: number): void {
  try {
    process.kill(-leader, 'SIGKILL');
  } catch {
    // It has ended meanwhile.
  }
}
