import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import { LocatedError } from '../located-error.js';

const run = promisify(execFile);

/** A directory service may be slow, but a start must not wait for it for ever; milliseconds. */
const TIMEOUT_MS = 5000;

/**
 * The number of a group that is named, or given by its number. Node knows no names; `getent` knows those of every source
 * that the host is configured for.
 *
 * @throws LocatedError where there is no such group
 */
export async function groupId(group: string): Promise<number> {
  if (/^\d{1,9}$/.test(group)) return Number(group);
  try {
    const { stdout } = await run('getent', ['--', 'group', group], { timeout: TIMEOUT_MS });
    const id = stdout.split(':')[2];
    if (id !== undefined && /^\d+$/.test(id)) return Number(id);
  } catch {
    // It exits with 2 where there is none.
  }
  throw new LocatedError('there is no such group', group, 'Create it, or name another one.');
}
