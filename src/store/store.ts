import type { Verdict } from '../decision/decision.js';
import type {
  DecisionRecord,
  DecisionSummary,
  DomainRecord,
  EventKind,
  EventRecord,
  StoredEvent,
} from './records.js';

/** One page of a list: decisions and events newest first, domains by name. */
export interface Page<T> {
  items: T[];
  /** Give it as `cursor` to get what follows; absent on the last page. */
  next?: string;
}

export interface Paging {
  /** 1 to 1000. */
  limit: number;
  cursor?: string;
}

export interface DecisionQuery extends Paging {
  /** Name or UUID. */
  domain?: string;
  /** BDF. */
  device?: string;
  verdict?: Verdict;
  host?: string;
  /** ISO 8601; `since` is included, `until` is not. */
  since?: string;
  until?: string;
}

export interface EventQuery extends Paging {
  decisionId?: string;
  /** Name or UUID. */
  domain?: string;
  kind?: EventKind;
  host?: string;
}

export interface DomainQuery extends Paging {
  host?: string;
  active?: boolean;
  /** Whether it runs or is defined; the records of others are kept for a while, for their past. */
  present?: boolean;
  unprotected?: boolean;
  /** Whether it runs without what policy asks for now. */
  stale?: boolean;
  /** BDF. */
  device?: string;
  /** Part of libvirt name, UUID, or what the owner is called: instance name, project id or name, flavor; in any case. */
  text?: string;
}

/** Something to be written; a batch is written whole or not at all. */
export type Entry =
  | { type: 'decision'; record: DecisionRecord }
  | { type: 'event'; record: EventRecord }
  | { type: 'domain'; record: DomainRecord }
  | { type: 'domain-gone'; host: string; uuid: string };

/** How long decisions and events are kept; what a domain's record refers to is kept longer. */
export interface Retention {
  days: number;
  /** Of all hosts that share the database. */
  decisions: number;
}

/** Something of a batch cannot be written, now or later: to try the same again is of no use. */
export class UnwritableError extends Error {
  override readonly name = 'UnwritableError';
}

/**
 * The data layer: SQLite or PostgreSQL behind it. Every method rejects while the database is away, and with a
 * `LocatedError` for a cursor, limit, time or address that is none.
 */
export interface Store {
  /** @throws UnwritableError where the batch is the trouble, not the database */
  write(batch: readonly Entry[]): Promise<void>;
  decision(id: string): Promise<DecisionRecord | undefined>;
  decisions(query: DecisionQuery): Promise<Page<DecisionSummary>>;
  events(query: EventQuery): Promise<Page<StoredEvent>>;
  /**
   * A domain of one host by UUID, libvirt name or instance name.
   *
   * @throws LocatedError where several domains have that instance name
   */
  domain(host: string, key: string): Promise<DomainRecord | undefined>;
  domains(query: DomainQuery): Promise<Page<DomainRecord>>;
  /** Deletes what is older or more than retention says; returns how many decisions went. */
  prune(retention: Retention, now: Date): Promise<number>;
  /** Whether it answers; rejects with the reason where it does not. */
  ping(): Promise<void>;
  close(): Promise<void>;
}
