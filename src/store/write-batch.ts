import type { Insertable, Transaction } from 'kysely';
import { promisify } from 'node:util';
import { deflateRaw } from 'node:zlib';
import { canonicalJson } from '../canonical-json.js';
import { indexed, milliseconds, storable } from './column-text.js';
import type { DecisionRecord, DomainRecord, EventRecord } from './records.js';
import type { Schema } from './schema.js';
import type { Entry } from './store.js';

const deflate = promisify(deflateRaw);

/** Rows in one statement; both databases bound its parameters, SQLite to 32,766. */
const ROWS_PER_STATEMENT = 1000;

/** A batch as rows, in the order in which they must be written. */
export interface BatchRows {
  decisions: Insertable<Schema['decisions']>[];
  devices: Insertable<Schema['decision_devices']>[];
  events: Insertable<Schema['events']>[];
  /** The last state of each domain of the batch. */
  domains: Insertable<Schema['domains']>[];
  gone: { host: string; uuid: string }[];
}

/** Compresses off the event loop, and before the transaction: a lock is held only while rows are written. */
export async function encodeBatch(batch: readonly Entry[]): Promise<BatchRows> {
  const records = batch.flatMap((entry) => (entry.type === 'decision' ? [entry.record] : []));
  const decisions = await Promise.all(records.map(decisionRow));
  const domains = new Map<string, Entry & { type: 'domain' | 'domain-gone' }>();
  for (const entry of batch) {
    if (entry.type === 'domain') domains.set(JSON.stringify([entry.record.host, entry.record.uuid]), entry);
    if (entry.type === 'domain-gone') domains.set(JSON.stringify([entry.host, entry.uuid]), entry);
  }
  const last = [...domains.values()];
  return {
    decisions,
    devices: decisions.flatMap(({ id, at }, row) =>
      devicesOf(records[row]!).map((device) => ({ device, at, decision_id: id })),
    ),
    events: batch.flatMap((entry) => (entry.type === 'event' ? [eventRow(entry.record)] : [])),
    domains: last.flatMap((entry) => (entry.type === 'domain' ? [domainRow(entry.record)] : [])),
    gone: last.flatMap((entry) => (entry.type === 'domain-gone' ? [domainKey(entry)] : [])),
  };
}

/** Writes rows inside a transaction. A decision that is there already stays as it is. */
export async function writeRows(transaction: Transaction<Schema>, rows: BatchRows): Promise<void> {
  for (const values of chunks(rows.decisions)) {
    await transaction
      .insertInto('decisions')
      .values(values)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  for (const values of chunks(rows.devices)) {
    await transaction
      .insertInto('decision_devices')
      .values(values)
      .onConflict((conflict) => conflict.doNothing())
      .execute();
  }
  for (const values of chunks(rows.events)) await transaction.insertInto('events').values(values).execute();
  for (const values of chunks(rows.domains)) {
    await transaction
      .insertInto('domains')
      .values(values)
      .onConflict((conflict) =>
        conflict.columns(['host', 'uuid']).doUpdateSet(({ ref }) => ({
          name: ref('excluded.name'),
          instance_name: ref('excluded.instance_name'),
          active: ref('excluded.active'),
          present: ref('excluded.present'),
          unprotected: ref('excluded.unprotected'),
          decision_id: ref('excluded.decision_id'),
          devices: ref('excluded.devices'),
          search: ref('excluded.search'),
          body: ref('excluded.body'),
        })),
      )
      .execute();
  }
  for (const { host, uuid } of rows.gone) {
    await transaction.deleteFrom('domains').where('host', '=', host).where('uuid', '=', uuid).execute();
  }
}

async function decisionRow(record: DecisionRecord): Promise<Insertable<Schema['decisions']>> {
  const { decision, occasion, host } = record;
  return {
    id: indexed(decision.id),
    at: milliseconds(decision.inputs.evaluatedAt, 'inputs.evaluatedAt'),
    host: indexed(host),
    surface: occasion.surface,
    operation: storable(occasion.operation),
    domain_name: indexed(decision.domain.name),
    domain_uuid: decision.domain.uuid === undefined ? null : uuidColumn(decision.domain.uuid),
    verdict: decision.verdict,
    devices: JSON.stringify(devicesOf(record)),
    body: await deflate(canonicalJson(record)),
  };
}

function devicesOf({ decision }: DecisionRecord): string[] {
  const sources = decision.devices.flatMap(({ source }) => (source === undefined ? [] : [indexed(source)]));
  return [...new Set(sources)];
}

function eventRow(event: EventRecord): Insertable<Schema['events']> {
  return {
    at: milliseconds(event.at, 'at'),
    host: indexed(event.host),
    kind: event.kind,
    decision_id: event.decisionId === undefined ? null : indexed(event.decisionId),
    domain_uuid: event.domainUuid === undefined ? null : uuidColumn(event.domainUuid),
    domain_name: event.domainName === undefined ? null : indexed(event.domainName),
    actor: event.actor === undefined ? null : storable(event.actor),
    detail: storable(event.detail),
  };
}

function domainRow(domain: DomainRecord): Insertable<Schema['domains']> {
  const { instanceName, projectId, projectName, flavor } = domain.owner;
  const names = [domain.name, domain.uuid, instanceName, projectId, projectName, flavor];
  return {
    ...domainKey(domain),
    name: indexed(domain.name),
    instance_name: instanceName === undefined ? null : indexed(instanceName),
    active: Number(domain.active),
    present: Number(domain.active || domain.persistent),
    unprotected: Number(domain.unprotected),
    decision_id: domain.decisionId === undefined ? null : indexed(domain.decisionId),
    devices: JSON.stringify(domain.devices),
    search: storable(
      names
        .flatMap((name) => name ?? [])
        .join('\n')
        .toLowerCase(),
    ),
    body: JSON.stringify(domain),
  };
}

function domainKey({ host, uuid }: { host: string; uuid: string }): { host: string; uuid: string } {
  return { host: indexed(host), uuid: uuidColumn(uuid) };
}

function uuidColumn(uuid: string): string {
  return indexed(uuid.toLowerCase());
}

function chunks<T>(rows: readonly T[]): T[][] {
  return Array.from({ length: Math.ceil(rows.length / ROWS_PER_STATEMENT) }, (_, at) =>
    rows.slice(at * ROWS_PER_STATEMENT, (at + 1) * ROWS_PER_STATEMENT),
  );
}
