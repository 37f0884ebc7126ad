import { existsSync, readdirSync, renameSync } from 'node:fs';
import { basename, dirname, join } from 'node:path';

/** Files that SQLite keeps beside a database; of no use to another one. */
const COMPANIONS = ['', '-wal', '-shm'];

/** Moves a database out of the way, to `FILE.corrupt-TIME`; returns where it is now. */
export function setAside(file: string, now: Date): string {
  const aside = `${file}.corrupt-${now.toISOString().replaceAll(/[-:]/g, '')}`;
  for (const companion of COMPANIONS) {
    if (existsSync(file + companion)) renameSync(file + companion, aside + companion);
  }
  return aside;
}

/** The database that was last moved out of the way of this file, if any was. */
export function lastSetAside(file: string): string | undefined {
  const prefix = `${basename(file)}.corrupt-`;
  const newest = readdirSync(dirname(file))
    .filter((name) => name.startsWith(prefix) && !name.endsWith('-wal') && !name.endsWith('-shm'))
    .toSorted()
    .at(-1);
  return newest === undefined ? undefined : join(dirname(file), newest);
}
