import { setTimeout as sleep } from 'node:timers/promises';
import { KyselyStore } from './kysely-store.js';
import { migrate } from './migrations.js';
import { openPostgres } from './postgres-database.js';
import type { Database } from './schema.js';
import { lastSetAside } from './set-aside.js';
import { CorruptDatabaseError, isBusy, openSqlite } from './sqlite-database.js';
import type { Store } from './store.js';

export interface StoreLocation {
  /** `postgres://...`; without it the file is used. */
  databaseUrl?: string;
  sqliteFile: string;
  /** As of `openSqlite`. */
  checkpointProgram?: string;
  /** Name of this node, for the event that a lost database leaves. */
  host: string;
}

/** How long another process that is migrating the same file is waited for. */
const BUSY_MS = 5_000;
const BUSY_STEP_MS = 25;

/**
 * Opens the database and brings its schema up to date. A corrupted SQLite file is moved aside, and a new one begun whose
 * first event is a `gap` that says so.
 *
 * @throws LocatedError for a URL that is none, or a schema that is newer than we are; the database's error where it is away
 */
export async function openStore(location: StoreLocation): Promise<Store> {
  if (location.databaseUrl !== undefined) {
    const database = openPostgres(location.databaseUrl);
    await migrateOrClose(database);
    return new KyselyStore(database);
  }
  try {
    return await openFile(location);
  } catch (error) {
    if (!(error instanceof CorruptDatabaseError)) throw error;
    return openFile(location);
  }
}

async function openFile({ sqliteFile, checkpointProgram, host }: StoreLocation): Promise<Store> {
  const { database, isNew } = await whileBusy(async () => {
    const database = openSqlite(sqliteFile, checkpointProgram);
    return { database, isNew: await migrateOrClose(database) };
  });
  const store = new KyselyStore(database);
  const aside = isNew ? lastSetAside(sqliteFile) : undefined;
  if (aside !== undefined) {
    const detail = `The database was corrupted: what was recorded before is in ${aside}.`;
    const record = { host, at: new Date().toISOString(), kind: 'gap', detail } as const;
    await store.write([{ type: 'event', record }]);
  }
  return store;
}

async function migrateOrClose(database: Database): Promise<boolean> {
  try {
    return await migrate(database);
  } catch (error) {
    await database.kysely.destroy();
    throw error;
  }
}

async function whileBusy<T>(work: () => Promise<T>): Promise<T> {
  const until = performance.now() + BUSY_MS;
  for (;;) {
    try {
      return await work();
    } catch (error) {
      if (!isBusy(error) || performance.now() > until) throw error;
      await sleep(BUSY_STEP_MS);
    }
  }
}
