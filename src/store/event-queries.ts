import type { Kysely, Selectable } from 'kysely';
import { domainKeys, indexed, unindexed } from './column-text.js';
import { decodeCursor, encodeCursor, pageOf, rowsFor } from './cursor.js';
import type { EventKind, StoredEvent } from './records.js';
import type { Schema } from './schema.js';
import type { EventQuery, Page } from './store.js';

export async function listEvents(kysely: Kysely<Schema>, query: EventQuery): Promise<Page<StoredEvent>> {
  const { decisionId, domain, kind, host, cursor } = query;
  const keys = domain === undefined ? undefined : domainKeys(domain);
  const isNarrow = decisionId !== undefined || keys !== undefined;
  const rows = await kysely
    .selectFrom('events')
    .selectAll()
    .$if(decisionId !== undefined, (select) => select.where('decision_id', '=', indexed(decisionId!)))
    .$if(keys !== undefined, (select) =>
      select.where(({ eb, or }) =>
        or([
          eb('domain_name', '=', keys!.name),
          ...(keys!.uuid === undefined ? [] : [eb('domain_uuid', '=', keys!.uuid)]),
        ]),
      ),
    )
    .$if(kind !== undefined, (select) =>
      select.where(isNarrow ? unindexed<EventKind>('kind') : 'kind', '=', kind!),
    )
    .$if(host !== undefined, (select) =>
      select.where(isNarrow ? unindexed<string>('host') : 'host', '=', indexed(host!)),
    )
    .$if(cursor !== undefined, (select) =>
      select.where('sequence', '<', decodeCursor(cursor!, 'events', [0] as const)[0]),
    )
    .orderBy('sequence', 'desc')
    .limit(rowsFor(query))
    .execute();
  return pageOf(rows, query, storedEvent, ({ sequence }) => encodeCursor('events', [sequence]));
}

function storedEvent(row: Selectable<Schema['events']>): StoredEvent {
  return {
    sequence: row.sequence,
    host: row.host,
    at: new Date(row.at).toISOString(),
    kind: row.kind,
    ...(row.decision_id !== null && { decisionId: row.decision_id }),
    ...(row.domain_uuid !== null && { domainUuid: row.domain_uuid }),
    ...(row.domain_name !== null && { domainName: row.domain_name }),
    ...(row.actor !== null && { actor: row.actor }),
    detail: row.detail,
  };
}
