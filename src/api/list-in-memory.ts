import { LocatedError } from '../located-error.js';
import { decodeCursor, encodeCursor } from '../store/cursor.js';
import type { PageQuery } from './query-fields.js';

/** Which of a list's items a page has. */
export interface Slice {
  from: number;
  to: number;
  next?: string;
}

/**
 * A page of a list that is held in memory: however long that is, no decision waits for the answer to be written.
 *
 * @param revision of what the list is made of; pages of two do not go together
 * @throws LocatedError for a cursor of another list or revision
 */
export function sliceOf(list: string, revision: string, length: number, { limit, cursor }: PageQuery): Slice {
  const [of, from] = cursor === undefined ? [revision, 0] : decodeCursor(cursor, list, [revision, 0]);
  if (of !== revision || !Number.isSafeInteger(from) || from < 0) {
    throw new LocatedError(
      `another revision of the ${list} has come into force since the page before`,
      'cursor',
      'Leave it out to begin with the first page.',
    );
  }
  const to = Math.min(length, from + limit);
  return { from, to, ...(to < length && { next: encodeCursor(list, [revision, to]) }) };
}
