import type { Generated, Kysely } from 'kysely';
import type { Occasion } from '../decision/occasion.js';
import type { Verdict } from '../decision/decision.js';
import type { EventKind } from './records.js';

/**
 * The tables, the same in SQLite and PostgreSQL. Times are milliseconds since 1970, truth values 0 and 1. Columns serve
 * filters and lists; what is given back whole is in `body`.
 */
export interface Schema {
  decisions: {
    id: string;
    at: number;
    host: string;
    surface: Occasion['surface'];
    operation: string;
    domain_name: string;
    domain_uuid: string | null;
    verdict: Verdict;
    /** JSON array of BDFs. */
    devices: string;
    /** Canonical JSON of the `DecisionRecord`, raw deflate. */
    body: Buffer;
  };
  /** One row for each device of a decision, in the order that lists by device are read. */
  decision_devices: { device: string; at: number; decision_id: string };
  events: {
    sequence: Generated<number>;
    at: number;
    host: string;
    kind: EventKind;
    decision_id: string | null;
    domain_uuid: string | null;
    domain_name: string | null;
    actor: string | null;
    detail: string;
  };
  domains: {
    host: string;
    uuid: string;
    name: string;
    instance_name: string | null;
    active: number;
    /** Whether it runs or is defined. */
    present: number;
    unprotected: number;
    decision_id: string | null;
    /** JSON array of BDFs. */
    devices: string;
    /** Everything that a text finds it by, in lower case, one a line. */
    search: string;
    /** JSON of the `DomainRecord`. */
    body: string;
  };
  schema_migrations: { version: number; applied_at: number };
}

/** A database that answers; which of the two it is matters only where their SQL differs. */
export interface Database {
  readonly kind: 'sqlite' | 'postgres';
  /** How people are told of it: a path, or a URL without its password. */
  readonly place: string;
  readonly kysely: Kysely<Schema>;
}
