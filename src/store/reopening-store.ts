import type { DecisionRecord, DecisionSummary, DomainRecord, StoredEvent } from './records.js';
import { CorruptDatabaseError } from './sqlite-database.js';
import type { DecisionQuery, DomainQuery, Entry, EventQuery, Page, Retention, Store } from './store.js';

/**
 * A store that is opened when it is first asked for something, and again after it could not be opened or its database was
 * lost: a service starts and goes on without its database.
 */
export class ReopeningStore implements Store {
  #opened: Promise<Store> | undefined;
  #closed = false;

  constructor(private readonly open: () => Promise<Store>) {}

  write(batch: readonly Entry[]): Promise<void> {
    return this.#ask((store) => store.write(batch));
  }

  decision(id: string): Promise<DecisionRecord | undefined> {
    return this.#ask((store) => store.decision(id));
  }

  decisions(query: DecisionQuery): Promise<Page<DecisionSummary>> {
    return this.#ask((store) => store.decisions(query));
  }

  events(query: EventQuery): Promise<Page<StoredEvent>> {
    return this.#ask((store) => store.events(query));
  }

  domain(host: string, key: string): Promise<DomainRecord | undefined> {
    return this.#ask((store) => store.domain(host, key));
  }

  domains(query: DomainQuery): Promise<Page<DomainRecord>> {
    return this.#ask((store) => store.domains(query));
  }

  prune(retention: Retention, now: Date): Promise<number> {
    return this.#ask((store) => store.prune(retention, now));
  }

  ping(): Promise<void> {
    return this.#ask((store) => store.ping());
  }

  async close(): Promise<void> {
    this.#closed = true;
    const store = await this.#opened?.catch(() => undefined);
    await store?.close();
  }

  async #ask<T>(question: (store: Store) => Promise<T>): Promise<T> {
    if (this.#closed) throw new Error('the store is closed');
    const opened = (this.#opened ??= this.open());
    let store: Store;
    try {
      store = await opened;
    } catch (error) {
      this.#forget(opened);
      throw error;
    }
    try {
      return await question(store);
    } catch (error) {
      if (error instanceof CorruptDatabaseError) this.#forget(opened);
      throw error;
    }
  }

  #forget(opened: Promise<Store>): void {
    if (this.#opened === opened) this.#opened = undefined;
  }
}
