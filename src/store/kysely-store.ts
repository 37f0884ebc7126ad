import { SqliteError } from 'better-sqlite3';
import pg from 'pg';
import { findDecision, listDecisions } from './decision-queries.js';
import { findDomain, listDomains } from './domain-queries.js';
import { listEvents } from './event-queries.js';
import { prune } from './prune.js';
import type { DecisionRecord, DecisionSummary, DomainRecord, StoredEvent } from './records.js';
import type { Database } from './schema.js';
import {
  UnwritableError,
  type DecisionQuery,
  type DomainQuery,
  type Entry,
  type EventQuery,
  type Page,
  type Retention,
  type Store,
} from './store.js';
import { encodeBatch, writeRows } from './write-batch.js';

/** The store on a database that has the newest schema. */
export class KyselyStore implements Store {
  readonly #kysely: Database['kysely'];

  constructor({ kysely }: Database) {
    this.#kysely = kysely;
  }

  async write(batch: readonly Entry[]): Promise<void> {
    const rows = await encodeBatch(batch).catch((error: unknown) => {
      throw new UnwritableError('it cannot be put into rows', { cause: error });
    });
    try {
      await this.#kysely.transaction().execute((transaction) => writeRows(transaction, rows));
    } catch (error) {
      if (!isAboutData(error)) throw error;
      throw new UnwritableError('the database does not take it', { cause: error });
    }
  }

  decision(id: string): Promise<DecisionRecord | undefined> {
    return findDecision(this.#kysely, id);
  }

  decisions(query: DecisionQuery): Promise<Page<DecisionSummary>> {
    return listDecisions(this.#kysely, query);
  }

  events(query: EventQuery): Promise<Page<StoredEvent>> {
    return listEvents(this.#kysely, query);
  }

  domain(host: string, key: string): Promise<DomainRecord | undefined> {
    return findDomain(this.#kysely, host, key);
  }

  domains(query: DomainQuery): Promise<Page<DomainRecord>> {
    return listDomains(this.#kysely, query);
  }

  prune(retention: Retention, now: Date): Promise<number> {
    return prune(this.#kysely, retention, now);
  }

  async ping(): Promise<void> {
    await this.#kysely.selectFrom('schema_migrations').select('version').limit(1).execute();
  }

  close(): Promise<void> {
    return this.#kysely.destroy();
  }
}

/** PostgreSQL's classes for data that is out of range, breaks a constraint, or exceeds a limit of the program. */
const DATA_CLASSES = /^(22|23|54)/;

/** Whether what was to be written is the trouble, so that the same would fail for ever. */
function isAboutData(error: unknown): boolean {
  if (error instanceof SqliteError) return /^SQLITE_(CONSTRAINT|TOOBIG|MISMATCH|RANGE)/.test(error.code);
  if (error instanceof pg.DatabaseError) return DATA_CLASSES.test(error.code ?? '');
  return false;
}
