import type { Kysely } from 'kysely';
import { setImmediate as turn } from 'node:timers/promises';
import type { Schema } from './schema.js';
import type { Retention } from './store.js';

const DAY_MS = 86_400_000;

/** Decisions or events that go in one transaction: what waits for it waits a few milliseconds. */
const CHUNK = 50;

/** A place in the order of decisions. */
interface Place {
  at: number;
  id: string;
}

/**
 * Deletes decisions that are older than retention says or more than it says, but for those that a domain's record refers
 * to; their events with them; and events that belong to none that is left, by age alone.
 *
 * @returns how many decisions went
 */
export async function prune(kysely: Kysely<Schema>, retention: Retention, now: Date): Promise<number> {
  const oldest = now.getTime() - retention.days * DAY_MS;
  const byAge: Place = { at: oldest, id: '' };
  const byCount = await newestBeyond(kysely, retention.decisions);
  const pruned = await pruneDecisions(kysely, byCount && isBefore(byAge, byCount) ? byCount : byAge);
  await pruneEvents(kysely, oldest);
  return pruned;
}

function isBefore(a: Place, b: Place): boolean {
  return a.at === b.at ? a.id < b.id : a.at < b.at;
}

/** The oldest decision that the count still lets stay; undefined where there are not as many. */
async function newestBeyond(kysely: Kysely<Schema>, count: number): Promise<Place | undefined> {
  if (count < 1) return { at: Number.MAX_SAFE_INTEGER, id: '' };
  return kysely
    .selectFrom('decisions')
    .select(['at', 'id'])
    .orderBy('at', 'desc')
    .orderBy('id', 'desc')
    .offset(count - 1)
    .limit(1)
    .executeTakeFirst();
}

async function pruneDecisions(kysely: Kysely<Schema>, before: Place): Promise<number> {
  let pruned = 0;
  let after: Place = { at: Number.MIN_SAFE_INTEGER, id: '' };
  for (;;) {
    const chunk = await kysely.transaction().execute(async (transaction) => {
      const rows = await transaction
        .selectFrom('decisions')
        .select(['at', 'id'])
        .where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'id'), '>', tuple(after.at, after.id)))
        .where(({ eb, refTuple, tuple }) => eb(refTuple('at', 'id'), '<', tuple(before.at, before.id)))
        .where(({ not, exists, selectFrom }) =>
          not(
            exists(selectFrom('domains').select('uuid').whereRef('domains.decision_id', '=', 'decisions.id')),
          ),
        )
        .orderBy('at')
        .orderBy('id')
        .limit(CHUNK)
        .execute();
      if (rows.length > 0) {
        const ids = rows.map(({ id }) => id);
        await transaction.deleteFrom('events').where('decision_id', 'in', ids).execute();
        await transaction.deleteFrom('decisions').where('id', 'in', ids).execute();
      }
      return rows;
    });
    pruned += chunk.length;
    if (chunk.length < CHUNK) return pruned;
    after = chunk.at(-1)!;
    await turn();
  }
}

/** Events of decisions that stay are kept with them: they say what became of a domain that is still there. */
async function pruneEvents(kysely: Kysely<Schema>, oldest: number): Promise<void> {
  let after = 0;
  for (;;) {
    const chunk = await kysely
      .selectFrom('events')
      .select('sequence')
      .where('at', '<', oldest)
      .where('sequence', '>', after)
      .where(({ not, exists, selectFrom }) =>
        not(exists(selectFrom('decisions').select('id').whereRef('decisions.id', '=', 'events.decision_id'))),
      )
      .orderBy('sequence')
      .limit(CHUNK)
      .execute();
    if (chunk.length === 0) return;
    const sequences = chunk.map(({ sequence }) => sequence);
    await kysely.deleteFrom('events').where('sequence', 'in', sequences).execute();
    after = sequences.at(-1)!;
    await turn();
  }
}
