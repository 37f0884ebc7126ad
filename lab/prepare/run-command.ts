import { spawn } from 'node:child_process';

export interface CommandOptions {
  cwd?: string;
  /** Milliseconds. */
  timeout?: number;
}

/**
 * Runs a command and returns what it printed.
 *
 * @throws Error with the end of its output if it fails
 */
export async function runCommand(
  command: string,
  args: readonly string[],
  options: CommandOptions = {},
): Promise<string> {
  return new Promise((resolve, reject) => {
    const child = spawn(command, args, {
      cwd: options.cwd,
      timeout: options.timeout ?? 900_000,
      stdio: ['ignore', 'pipe', 'pipe'],
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', LC_ALL: 'C.UTF-8' },
    });
    let out = '';
    let err = '';
    child.stdout.on('data', (data: Buffer) => (out += data.toString()));
    child.stderr.on('data', (data: Buffer) => (err += data.toString()));
    child.on('error', reject);
    child.on('close', (code, signal) => {
      if (code === 0) resolve(out);
      else
        reject(
          new Error(`${command} ${args.join(' ')}: ${signal ?? `exit ${code}`}: ${(err + out).slice(-800)}`),
        );
    });
  });
}
