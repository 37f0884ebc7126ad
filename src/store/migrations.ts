import { sql } from 'kysely';
import { LocatedError } from '../located-error.js';
import type { Database } from './schema.js';

/** Where the SQL of the two differs. */
interface Terms {
  bytes: string;
  /** Text that sorts by its bytes, as a cursor compares it. */
  text: string;
  /** A key that counts up and is never given twice. */
  sequence: string;
  /** Keeps a table in the order of its primary key. */
  ordered: string;
  /** Whether nodes share it. */
  severalHosts: boolean;
}

const TERMS: Record<Database['kind'], Terms> = {
  sqlite: {
    bytes: 'blob',
    text: 'text',
    sequence: 'integer primary key autoincrement',
    ordered: 'without rowid',
    severalHosts: false,
  },
  postgres: {
    bytes: 'bytea',
    text: 'text collate "C"',
    sequence: 'bigint generated always as identity primary key',
    ordered: '',
    severalHosts: true,
  },
};

/** Each brings a database from the version before it (its place in this list) to its own. Never edit one that was released. */
const MIGRATIONS: readonly ((terms: Terms) => string[])[] = [
  ({ bytes, text, sequence, ordered, severalHosts }) => [
    `create table decisions (
      id ${text} primary key,
      at bigint not null,
      host ${text} not null,
      surface ${text} not null,
      operation ${text} not null,
      domain_name ${text} not null,
      domain_uuid ${text},
      verdict ${text} not null,
      devices text not null,
      body ${bytes} not null
    )`,
    'create index decisions_by_time on decisions (at, id)',
    'create index decisions_by_domain_name on decisions (domain_name, at, id)',
    'create index decisions_by_domain_uuid on decisions (domain_uuid, at, id)',
    'create index decisions_by_verdict on decisions (verdict, at, id)',
    ...(severalHosts ? ['create index decisions_by_host on decisions (host, at, id)'] : []),
    `create table decision_devices (
      device ${text} not null,
      at bigint not null,
      decision_id ${text} not null references decisions (id) on delete cascade,
      primary key (device, at, decision_id)
    ) ${ordered}`,
    'create index decision_devices_by_decision on decision_devices (decision_id)',
    `create table events (
      sequence ${sequence},
      at bigint not null,
      host ${text} not null,
      kind ${text} not null,
      decision_id ${text},
      domain_uuid ${text},
      domain_name ${text},
      actor text,
      detail text not null
    )`,
    'create index events_by_time on events (at)',
    'create index events_by_decision on events (decision_id, sequence)',
    'create index events_by_domain_uuid on events (domain_uuid, sequence)',
    'create index events_by_domain_name on events (domain_name, sequence)',
    'create index events_by_kind on events (kind, sequence)',
    ...(severalHosts ? ['create index events_by_host on events (host, sequence)'] : []),
    `create table domains (
      host ${text} not null,
      uuid ${text} not null,
      name ${text} not null,
      instance_name ${text},
      active integer not null,
      present integer not null,
      unprotected integer not null,
      decision_id ${text},
      devices text not null,
      search text not null,
      body text not null,
      primary key (host, uuid)
    )`,
    'create index domains_by_name on domains (name, host, uuid)',
    'create index domains_of_host_by_name on domains (host, name)',
    'create index domains_of_host_by_instance_name on domains (host, instance_name)',
    'create index domains_by_decision on domains (decision_id)',
  ],
];

/** Any number that nothing else in the same PostgreSQL database locks by. */
const ADVISORY_LOCK = 8_630_215_779;

/**
 * Brings the database to the newest schema, in one transaction; two nodes may do so at once. On SQLite the one that comes
 * second is told that the database is busy, and has to ask again.
 *
 * @returns whether the database was empty
 * @throws LocatedError where the schema is newer than this version of vfio-warden knows
 */
export async function migrate({ kysely, kind, place }: Database): Promise<boolean> {
  return kysely.transaction().execute(async (transaction) => {
    if (kind === 'postgres') await sql`select pg_advisory_xact_lock(${ADVISORY_LOCK})`.execute(transaction);
    await sql`create table if not exists schema_migrations (version integer primary key, applied_at bigint not null)`.execute(
      transaction,
    );
    const newest = await transaction
      .selectFrom('schema_migrations')
      .select(({ fn }) => fn.max('version').as('version'))
      .executeTakeFirst();
    const version = newest?.version ?? 0;
    if (version > MIGRATIONS.length) {
      throw new LocatedError(
        `the database has schema ${version}, and this version of vfio-warden knows schemas up to ${MIGRATIONS.length}`,
        place,
        'Run the version that wrote it, or a newer one; or use another database.',
      );
    }
    for (const [at, migration] of MIGRATIONS.entries()) {
      if (at < version) continue;
      for (const statement of migration(TERMS[kind])) await sql.raw(statement).execute(transaction);
      await transaction
        .insertInto('schema_migrations')
        .values({ version: at + 1, applied_at: Date.now() })
        .execute();
    }
    return version === 0;
  });
}
