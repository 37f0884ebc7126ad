import {
  Kysely,
  PostgresDialect,
  type PostgresPool,
  type PostgresPoolClient,
  type PostgresQueryResult,
} from 'kysely';
import pg from 'pg';
import { LocatedError } from '../located-error.js';
import type { Database, Schema } from './schema.js';

/** Few, since every node of a fleet has its own. */
const CONNECTIONS = 2;
const CONNECT_MS = 5_000;
/** The server gives up on a statement before we do. */
const STATEMENT_MS = 8_000;
const ANSWER_MS = 10_000;
const IDLE_MS = 30_000;

/**
 * Sets up connections to a server; none is made before the first query.
 *
 * @throws LocatedError where it is no URL of a PostgreSQL database
 */
export function openPostgres(url: string): Database {
  const place = placeOf(url);
  const pool = new pg.Pool({
    connectionString: url,
    application_name: 'vfio-warden',
    max: CONNECTIONS,
    connectionTimeoutMillis: CONNECT_MS,
    statement_timeout: STATEMENT_MS,
    idle_in_transaction_session_timeout: STATEMENT_MS,
    query_timeout: ANSWER_MS,
    idleTimeoutMillis: IDLE_MS,
    keepAlive: true,
    types: { getTypeParser: typeParser },
  });
  // A connection that breaks while nobody uses it is replaced by the next query; unheard, it would end the process.
  pool.on('error', () => {});
  const dialect = new PostgresDialect({ pool: new DiscardingPool(pool) });
  return { kind: 'postgres', place, kysely: new Kysely<Schema>({ dialect }) };
}

function placeOf(text: string): string {
  const url = URL.canParse(text) ? new URL(text) : undefined;
  if (!url || !/^postgres(ql)?:$/.test(url.protocol)) {
    throw new LocatedError(
      'it is not the URL of a PostgreSQL database',
      'DATABASE_URL',
      'Write it as postgres://USER:PASSWORD@HOST:PORT/DATABASE, or remove it to use SQLite.',
    );
  }
  return `postgres://${url.host}${url.pathname}`;
}

/** Our whole numbers, milliseconds and counters, are well below 2^53. */
const typeParser: typeof pg.types.getTypeParser = ((oid: number, format?: 'text') =>
  oid === pg.types.builtins.INT8 ? Number : pg.types.getTypeParser(oid, format)) as never;

/** Lends connections that are closed, not lent again, once they broke. */
class DiscardingPool implements PostgresPool {
  constructor(private readonly pool: pg.Pool) {}

  async connect(): Promise<PostgresPoolClient> {
    // Without the form of `query` that takes a cursor, which only streaming uses.
    return new LentConnection(await this.pool.connect()) as unknown as PostgresPoolClient;
  }

  end(): Promise<void> {
    return this.pool.end();
  }
}

/**
 * A connection while it is in use. The driver would lend one again on which the server left a query without an answer, and
 * each next query would wait behind it; and where the server ends one between two queries, nobody would hear the error.
 */
class LentConnection {
  #broken: Error | undefined;
  readonly #onError = (error: Error) => {
    this.#broken ??= error;
  };

  constructor(private readonly client: pg.PoolClient) {
    client.on('error', this.#onError);
  }

  async query(sql: string, parameters: readonly unknown[]): Promise<PostgresQueryResult<unknown>> {
    if (this.#broken) throw this.#broken;
    try {
      return (await this.client.query(sql, [...parameters])) as unknown as PostgresQueryResult<unknown>;
    } catch (error) {
      // An error of the server itself has a code, and leaves the connection as good as it was.
      if (error instanceof Error && !(error instanceof pg.DatabaseError)) this.#broken ??= error;
      throw error;
    }
  }

  release(): void {
    this.client.release(this.#broken);
    this.client.off('error', this.#onError);
  }
}
