import { sql, type Kysely } from 'kysely';
import { LocatedError } from '../located-error.js';
import { containing, domainKeys, indexed } from './column-text.js';
import { decodeCursor, encodeCursor, pageOf, rowsFor } from './cursor.js';
import type { DomainRecord } from './records.js';
import type { Schema } from './schema.js';
import type { DomainQuery, Page } from './store.js';

/** Domains of one host that are read to see which a name means; libvirt's names are unique, Nova's are not. */
const MAX_NAMESAKES = 10;

/**
 * Finds a domain by UUID, or else by libvirt name, or else by instance name.
 *
 * @throws LocatedError where several domains have that instance name
 */
export async function findDomain(
  kysely: Kysely<Schema>,
  host: string,
  key: string,
): Promise<DomainRecord | undefined> {
  const { name, uuid } = domainKeys(key);
  const rows = await kysely
    .selectFrom('domains')
    .select(['uuid', 'name', 'body'])
    .where('host', '=', indexed(host))
    .where(({ eb, or }) =>
      or([
        eb('name', '=', name),
        eb('instance_name', '=', name),
        ...(uuid === undefined ? [] : [eb('uuid', '=', uuid)]),
      ]),
    )
    // One that is gone keeps its record, and its name may have been given to another one since.
    .orderBy('present', 'desc')
    .orderBy('uuid')
    .limit(MAX_NAMESAKES)
    .execute();
  const exact = rows.find((row) => row.uuid === uuid) ?? rows.find((row) => row.name === name);
  if (exact === undefined && rows.length > 1) {
    throw new LocatedError(
      'several domains have this instance name',
      key.slice(0, 255),
      `Ask by UUID: ${rows.map((row) => row.uuid).join(', ')}.`,
    );
  }
  const row = exact ?? rows[0];
  return row && (JSON.parse(row.body) as DomainRecord);
}

/** Lists by name: the rows of domains change, and a list by time would show one twice or not at all. */
export async function listDomains(kysely: Kysely<Schema>, query: DomainQuery): Promise<Page<DomainRecord>> {
  const { host, active, present, unprotected, stale, device, text, cursor } = query;
  const rows = await kysely
    .selectFrom('domains')
    .select(['name', 'host', 'uuid', 'body'])
    .$if(host !== undefined, (select) => select.where('host', '=', indexed(host!)))
    .$if(active !== undefined, (select) => select.where('active', '=', Number(active)))
    .$if(present !== undefined, (select) => select.where('present', '=', Number(present)))
    .$if(unprotected !== undefined, (select) => select.where('unprotected', '=', Number(unprotected)))
    .$if(stale !== undefined, (select) => select.where(staleIs(stale!)))
    .$if(device !== undefined, (select) => select.where(like('devices', `"${device}"`)))
    .$if(text !== undefined, (select) => select.where(like('search', text!.toLowerCase())))
    .$if(cursor !== undefined, (select) => {
      const after = decodeCursor(cursor!, 'domains', ['', '', ''] as const);
      return select.where(({ eb, refTuple, tuple }) =>
        eb(refTuple('name', 'host', 'uuid'), '>', tuple(after[0], after[1], after[2])),
      );
    })
    .orderBy('name')
    .orderBy('host')
    .orderBy('uuid')
    .limit(rowsFor(query))
    .execute();
  return pageOf(
    rows,
    query,
    ({ body }) => JSON.parse(body) as DomainRecord,
    ({ name, host, uuid }) => encodeCursor('domains', [name, host, uuid]),
  );
}

/** Read from the record itself: few domains of a fleet are stale, and who asks for them asks seldom. */
function staleIs(stale: boolean) {
  const isStale = sql<boolean>`${sql.ref('body')} like '%"stale":"%'`;
  return stale ? isStale : sql<boolean>`not (${isStale})`;
}

function like(column: 'devices' | 'search', text: string) {
  return sql<boolean>`${sql.ref(column)} like ${containing(text)} escape '\\'`;
}
