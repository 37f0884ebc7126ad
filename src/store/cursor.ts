import { LocatedError } from '../located-error.js';
import type { Page, Paging } from './store.js';

export type CursorKey = readonly (string | number)[];

const MAX_PAGE = 1000;
/** Far above the longest key. */
const MAX_CURSOR_LENGTH = 4096;

/** Writes the place after which the next page starts; opaque to who gets it. */
export function encodeCursor(list: string, key: CursorKey): string {
  return Buffer.from(JSON.stringify([list, ...key])).toString('base64url');
}

/**
 * Reads what `encodeCursor` wrote for the same list.
 *
 * @param sample a key with values of the types that are expected
 * @throws LocatedError for anything else
 */
export function decodeCursor<K extends CursorKey>(cursor: string, list: string, sample: K): K {
  const parts = cursor.length <= MAX_CURSOR_LENGTH ? parse(cursor) : undefined;
  if (
    !Array.isArray(parts) ||
    parts.length !== sample.length + 1 ||
    parts[0] !== list ||
    !sample.every((value, at) => typeof parts[at + 1] === typeof value)
  ) {
    throw new LocatedError(
      `it is no cursor of the list of ${list}`,
      'cursor',
      'Use the `next` of the page before, or leave it out to begin with the first page.',
    );
  }
  return parts.slice(1) as unknown as K;
}

function parse(cursor: string): unknown {
  try {
    return JSON.parse(Buffer.from(cursor, 'base64url').toString());
  } catch {
    return undefined;
  }
}

/**
 * How many rows to read for a page: one more than it shows, to see whether another follows.
 *
 * @throws LocatedError where the limit is out of range
 */
export function rowsFor({ limit }: Paging): number {
  if (!Number.isInteger(limit) || limit < 1 || limit > MAX_PAGE) {
    throw new LocatedError(`a page has 1 to ${MAX_PAGE} entries`, 'limit', 'Ask for a number in that range.');
  }
  return limit + 1;
}

/** Makes the page out of the rows that `rowsFor` asked for. */
export function pageOf<Row, T>(
  rows: readonly Row[],
  { limit }: Paging,
  item: (row: Row) => T,
  cursorAfter: (row: Row) => string,
): Page<T> {
  const shown = rows.slice(0, limit);
  const last = shown.at(-1);
  return {
    items: shown.map(item),
    ...(rows.length > limit && last !== undefined && { next: cursorAfter(last) }),
  };
}
