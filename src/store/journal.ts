import type { DecisionRecord, DomainRecord, EventRecord } from './records.js';

/**
 * What the surfaces write to: never waits, never throws. Entries are handed to the store in order, soon after; while the
 * store is away they are kept up to a bound, and what is lost beyond it is recorded as a `gap` once the store is back.
 */
export interface Journal {
  decision(record: DecisionRecord): void;
  event(record: EventRecord): void;
  domain(record: DomainRecord): void;
  domainGone(host: string, uuid: string): void;
}
