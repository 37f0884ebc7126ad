import { mkdirSync } from 'node:fs';
import { mkdir, readFile, rename, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { runCommand } from './run-command.js';

/** Where the lab keeps what it has downloaded and built, outside of the project. */
export const CACHE = process.env['WARDEN_LAB_CACHE'] ?? '/var/cache/vfio-warden/lab';

/** The directory `name` of the cache, there or not. */
export function cached(name: string): string {
  mkdirSync(CACHE, { recursive: true });
  return join(CACHE, name);
}

export async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

/** What was interrupted while it put a system together may have left /proc and /sys of this machine mounted in it. */
async function unmountBelow(directory: string): Promise<void> {
  const mounts = (await readFile('/proc/mounts', 'utf8')).split('\n').map((line) => line.split(' ')[1] ?? '');
  for (const mount of mounts.filter((path) => path.startsWith(`${directory}/`)).toReversed()) {
    await runCommand('umount', [mount]);
  }
}

/** The file or directory `name` of the cache: made once, by `make`, and there as a whole or not at all. */
export async function madeOnce(name: string, make: (path: string) => Promise<void>): Promise<string> {
  const path = cached(name);
  if (await exists(path)) return path;
  const making = `${path}.making`;
  await unmountBelow(making);
  await rm(making, { recursive: true, force: true });
  await mkdir(join(making, '..'), { recursive: true });
  await make(making);
  await rename(making, path);
  return path;
}
