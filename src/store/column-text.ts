import { sql } from 'kysely';
import { LocatedError } from '../located-error.js';

/** PostgreSQL cannot index texts without a bound; libvirt's QEMU driver takes no longer name than a file can have. */
const MAX_INDEXED = 255;

/** A text as it is kept in an indexed column, and as it is looked for: both are cut alike. */
export function indexed(text: string): string {
  return storable(text.slice(0, MAX_INDEXED));
}

/** PostgreSQL's texts cannot hold a NUL, and UTF-8 cannot hold half of a surrogate pair. */
export function storable(text: string): string {
  return text.replaceAll(/\0|\p{Surrogate}/gu, '\uFFFD');
}

/** `LIKE` pattern, with `\` as its escape, for texts that contain this one. */
export function containing(text: string): string {
  return `%${storable(text).replaceAll(/[\\%_]/g, String.raw`\$&`)}%`;
}

/**
 * Milliseconds since 1970 of an ISO 8601 time.
 *
 * @throws LocatedError that names the field
 */
export function milliseconds(time: string, field: string): number {
  const at = Date.parse(time);
  if (Number.isNaN(at)) {
    throw new LocatedError(
      `${JSON.stringify(time.slice(0, 64))} is no time`,
      field,
      'Write it as 2026-01-31T12:00:00Z.',
    );
  }
  return at;
}

/**
 * A column that tells few rows apart, for a filter beside a better one: as an expression it is not looked up in its own
 * index, which SQLite takes for as good as any.
 */
export function unindexed<T>(column: string) {
  return sql<T>`nullif(${sql.ref(column)}, '')`;
}

const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i;

/** What a domain is called: its name, which may look like a UUID, and its UUID where the text can be one. */
export function domainKeys(text: string): { name: string; uuid?: string } {
  return { name: indexed(text), ...(UUID.test(text) && { uuid: text.toLowerCase() }) };
}
