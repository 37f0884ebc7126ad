import { sql, type Kysely, type Selectable } from 'kysely';
import { promisify } from 'node:util';
import { inflateRaw } from 'node:zlib';
import { LocatedError } from '../located-error.js';
import { parseBdf } from '../pci/bdf.js';
import { domainKeys, indexed, milliseconds, unindexed } from './column-text.js';
import { decodeCursor, encodeCursor, pageOf, rowsFor } from './cursor.js';
import type { Verdict } from '../decision/decision.js';
import type { DecisionRecord, DecisionSummary } from './records.js';
import type { Schema } from './schema.js';
import type { DecisionQuery, Page } from './store.js';

const inflate = promisify(inflateRaw);

/** Far above any decision that can be made: a document has at most 512 host devices. */
const MAX_BODY_BYTES = 64 * 2 ** 20;

const SUMMARY_COLUMNS = [
  'decisions.id',
  'decisions.at',
  'decisions.host',
  'surface',
  'operation',
  'domain_name',
  'domain_uuid',
  'verdict',
  'devices',
] as const;

export async function findDecision(kysely: Kysely<Schema>, id: string): Promise<DecisionRecord | undefined> {
  const row = await kysely
    .selectFrom('decisions')
    .select('body')
    .where('id', '=', indexed(id))
    .executeTakeFirst();
  if (!row) return undefined;
  try {
    const body = await inflate(row.body, { maxOutputLength: MAX_BODY_BYTES });
    return JSON.parse(body.toString()) as DecisionRecord;
  } catch (error) {
    throw new Error(`what is stored of decision ${indexed(id)} is damaged`, { cause: error });
  }
}

/** Lists by evaluation time; one that comes late, from a node whose store was away, appears at its place. */
export async function listDecisions(
  kysely: Kysely<Schema>,
  query: DecisionQuery,
): Promise<Page<DecisionSummary>> {
  const { since, until, domain, verdict, host, cursor } = query;
  const device = query.device === undefined ? undefined : bdfOf(query.device);
  const keys = domain === undefined ? undefined : domainKeys(domain);
  const isNarrow = device !== undefined || keys !== undefined;
  // In both cases the order is that of an index: of the device's, which has the time too, or of the time's.
  const table = device === undefined ? 'decisions' : 'decision_devices';
  const at = sql.ref<number>(`${table}.at`);
  const id = sql.ref<string>(device === undefined ? 'decisions.id' : 'decision_devices.decision_id');
  const rows = await kysely
    .selectFrom('decisions')
    .$if(device !== undefined, (select) =>
      select
        .innerJoin('decision_devices', 'decision_devices.decision_id', 'decisions.id')
        .where('decision_devices.device', '=', device!),
    )
    .select(SUMMARY_COLUMNS)
    .$if(keys !== undefined, (select) =>
      select.where(({ eb, or }) =>
        or([
          eb('domain_name', '=', keys!.name),
          ...(keys!.uuid === undefined ? [] : [eb('domain_uuid', '=', keys!.uuid)]),
        ]),
      ),
    )
    .$if(verdict !== undefined, (select) =>
      select.where(isNarrow ? unindexed<Verdict>('verdict') : 'verdict', '=', verdict!),
    )
    .$if(host !== undefined, (select) =>
      select.where(isNarrow ? unindexed<string>('decisions.host') : 'decisions.host', '=', indexed(host!)),
    )
    .$if(since !== undefined, (select) => select.where(at, '>=', milliseconds(since!, 'since')))
    .$if(until !== undefined, (select) => select.where(at, '<', milliseconds(until!, 'until')))
    .$if(cursor !== undefined, (select) => {
      const [lastAt, lastId] = decodeCursor(cursor!, 'decisions', [0, ''] as const);
      return select.where(sql<boolean>`(${at}, ${id}) < (${lastAt}, ${lastId})`);
    })
    .orderBy(at, 'desc')
    .orderBy(id, 'desc')
    .limit(rowsFor(query))
    .execute();
  return pageOf(rows, query, summary, (row) => encodeCursor('decisions', [row.at, row.id]));
}

function bdfOf(text: string): string {
  const bdf = parseBdf(text);
  if (bdf === undefined) {
    throw new LocatedError(
      `${JSON.stringify(text.slice(0, 64))} is no PCI address`,
      'device',
      'Write it as 0000:81:00.0.',
    );
  }
  return bdf;
}

function summary(row: Omit<Selectable<Schema['decisions']>, 'body'>): DecisionSummary {
  return {
    id: row.id,
    host: row.host,
    at: new Date(row.at).toISOString(),
    surface: row.surface,
    operation: row.operation,
    domainName: row.domain_name,
    ...(row.domain_uuid !== null && { domainUuid: row.domain_uuid }),
    verdict: row.verdict,
    devices: JSON.parse(row.devices) as string[],
  };
}
