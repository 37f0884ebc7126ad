import { execFile } from 'node:child_process';
import { access } from 'node:fs/promises';
import { join } from 'node:path';
import { PACKAGE_ROOT } from '../config/settings.js';
import { LocatedError } from '../located-error.js';

/** They rename some files and reload some units. */
const TIMEOUT_MS = 60_000;
const MAX_OUTPUT_BYTES = 1024 * 1024;

/** What a script that only looks says, whatever it finds: it ends with 1 where the answer is no. */
export async function askDeployScript(name: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(name, args);
  if (code === 0 || (code === 1 && stdout !== '')) return stdout;
  throw failure(name, args, stderr || stdout);
}

/**
 * Runs one of the scripts that put the service into place, and returns what it says.
 *
 * @param name of the script in the package's `deploy`
 * @throws LocatedError where it is missing or fails
 */
export async function runDeployScript(name: string, ...args: readonly string[]): Promise<string> {
  const { code, stdout, stderr } = await run(name, args);
  if (code === 0) return stdout;
  throw failure(name, args, stderr || stdout);
}

interface Ended {
  /** Undefined where it was killed, for its time was over. */
  code: number | undefined;
  stdout: string;
  stderr: string;
}

async function run(name: string, args: readonly string[]): Promise<Ended> {
  const script = pathOf(name);
  await access(script).catch(() => {
    throw new LocatedError('the script is missing', script, 'Run it from the complete package.');
  });
  return new Promise((resolve) => {
    const limits = { timeout: TIMEOUT_MS, maxBuffer: MAX_OUTPUT_BYTES };
    execFile('/bin/sh', [script, ...args], limits, (error, stdout, stderr) => {
      const code = typeof error?.code === 'number' ? error.code : error ? undefined : 0;
      resolve({ code, stdout: stdout.trim(), stderr: stderr.trim() });
    });
  });
}

function failure(name: string, args: readonly string[], said: string): LocatedError {
  return new LocatedError(
    said || 'it did not end in time',
    [pathOf(name), ...args].join(' '),
    'Mend what it names, and run this again.',
  );
}

function pathOf(name: string): string {
  return join(PACKAGE_ROOT, 'deploy', name);
}
