import SqliteConnection, { SqliteError } from 'better-sqlite3';
import { Kysely, SqliteDialect, type SqliteDatabase, type SqliteStatement } from 'kysely';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { dirname } from 'node:path';
import type { Database, Schema } from './schema.js';
import { setAside } from './set-aside.js';
import { SqliteCheckpoints } from './sqlite-checkpoints.js';

/** The file is no sound database; unless the message says otherwise it has been moved, and the next open begins a new one. */
export class CorruptDatabaseError extends Error {
  override readonly name = 'CorruptDatabaseError';
}

/** How much of a write-ahead log is kept on disk once it has been copied into the database. */
const KEPT_LOG_BYTES = 16 * 2 ** 20;
const PAGE_CACHE_KIB = 4096;
/** SQLite's own default. */
const AUTO_CHECKPOINT_PAGES = 1000;

/**
 * Opens a file, or begins one that only its owner may read. Nothing waits for a lock: the event loop would stand still,
 * so a locked database rejects at once, and callers ask again.
 *
 * @param checkpointProgram as of `SqliteCheckpoints`; without it each thousandth page's writer waits for the disk
 */
export function openSqlite(file: string, checkpointProgram?: string): Database {
  mkdirSync(dirname(file), { recursive: true, mode: 0o750 });
  closeSync(openSync(file, 'a', 0o600));
  const database = new GuardedSqlite(file, checkpointProgram);
  return {
    kind: 'sqlite',
    place: file,
    kysely: new Kysely<Schema>({ dialect: new SqliteDialect({ database }) }),
  };
}

/** Whether another process holds the database's lock for now. */
export function isBusy(error: unknown): boolean {
  return error instanceof SqliteError && error.code.startsWith('SQLITE_BUSY');
}

function isCorruption(error: unknown): boolean {
  return error instanceof SqliteError && /^SQLITE_(CORRUPT|NOTADB)/.test(error.code);
}

/** A connection that, when it finds its file corrupted, closes it and moves it aside. */
class GuardedSqlite implements SqliteDatabase {
  readonly #connection: SqliteConnection.Database;
  readonly #checkpoints: SqliteCheckpoints | undefined;
  #corruption: CorruptDatabaseError | undefined;

  constructor(
    private readonly file: string,
    checkpointProgram: string | undefined,
  ) {
    this.#connection = new SqliteConnection(file, { timeout: 0 });
    try {
      this.#guarded(() => {
        this.#connection.pragma('journal_mode = WAL');
        this.#connection.pragma('synchronous = NORMAL');
        this.#connection.pragma('foreign_keys = ON');
        this.#connection.pragma(`journal_size_limit = ${KEPT_LOG_BYTES}`);
        this.#connection.pragma(`cache_size = -${PAGE_CACHE_KIB}`);
        if (checkpointProgram !== undefined) this.#connection.pragma('wal_autocheckpoint = 0');
      });
    } catch (error) {
      this.close();
      throw error;
    }
    if (checkpointProgram === undefined) return;
    this.#checkpoints = new SqliteCheckpoints(file, checkpointProgram, {
      behind: () => this.#pragma('wal_checkpoint(PASSIVE)'),
      failed: () => this.#pragma(`wal_autocheckpoint = ${AUTO_CHECKPOINT_PAGES}`),
    });
  }

  prepare(sql: string): SqliteStatement {
    // SQLite has rolled back by itself where the disk was full; to ask again would hide the reason.
    if (sql === 'rollback' && !this.#connection.inTransaction) return NOTHING;
    return this.#guarded(() => {
      const statement = this.#connection.prepare<unknown[]>(sql);
      return {
        reader: statement.reader,
        all: (parameters) => this.#guarded(() => statement.all(...parameters)),
        run: (parameters) => this.#run(sql, statement, parameters),
        iterate: (parameters) => statement.iterate(...parameters),
      };
    });
  }

  close(): void {
    this.#checkpoints?.close();
    this.#connection.close();
  }

  #run(
    sql: string,
    statement: SqliteConnection.Statement<unknown[]>,
    parameters: readonly unknown[],
  ): SqliteConnection.RunResult {
    const result = this.#guarded(() => statement.run(...parameters));
    this.#checkpoints?.wrote(parameters, result.changes);
    if (sql === 'commit') this.#checkpoints?.committed();
    return result;
  }

  /** What fails here fails again where something is written, and is told there. */
  #pragma(source: string): void {
    try {
      if (this.#connection.open) this.#connection.pragma(source);
    } catch {
      // See above.
    }
  }

  #guarded<T>(work: () => T): T {
    if (this.#corruption) throw this.#corruption;
    try {
      return work();
    } catch (error) {
      if (!isCorruption(error)) throw error;
      // Closed first: closing removes the write-ahead log by its name, which a new database will have.
      this.close();
      this.#corruption = corruptionOf(this.file, error);
      throw this.#corruption;
    }
  }
}

/** Moves the file aside; where that fails too, the next open finds the same corruption. */
function corruptionOf(file: string, cause: unknown): CorruptDatabaseError {
  try {
    return new CorruptDatabaseError(`${file} is corrupted; it is now ${setAside(file, new Date())}`, {
      cause,
    });
  } catch (error) {
    return new CorruptDatabaseError(`${file} is corrupted, and cannot be moved aside: ${String(error)}`, {
      cause,
    });
  }
}

const NOTHING: SqliteStatement = {
  reader: false,
  all: () => [],
  run: () => ({ changes: 0, lastInsertRowid: 0 }),
  iterate: () => [][Symbol.iterator](),
};
