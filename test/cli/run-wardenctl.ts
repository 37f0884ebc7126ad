import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { compiledService } from '../end-to-end/compiled-service.js';

export interface Run {
  code: number;
  stdout: string;
  stderr: string;
}

interface Given {
  input?: string;
  env?: NodeJS.ProcessEnv;
}

/** Runs the program as a user would, from its TypeScript. */
export function wardenctl(args: readonly string[], given: Given = {}): Promise<Run> {
  return run(['--import', 'tsx', 'src/cli/wardenctl.ts', ...args], given);
}

/** The same, compiled: it starts sooner. */
export function compiledWardenctl(args: readonly string[], given: Given = {}): Promise<Run> {
  return run([join(compiledService(), 'dist/cli/wardenctl.js'), ...args], given);
}

function run(program: readonly string[], { input = '', env = {} }: Given): Promise<Run> {
  return new Promise((resolve) => {
    const child = execFile(
      process.execPath,
      program,
      { timeout: 60_000, maxBuffer: 64 * 1024 * 1024, env: { ...process.env, ...env } },
      (error, stdout, stderr) => {
        resolve({ code: error ? Number(error.code ?? 1) : 0, stdout, stderr });
      },
    );
    child.stdin?.end(input);
  });
}
