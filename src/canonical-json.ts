import { hash } from 'node:crypto';

/** JSON with sorted keys and without undefined: the same content gives the same bytes on every host. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(sorted(value));
}

/** A copy with sorted keys: several times as fast as to sort within a replacer, which each value passes through. */
function sorted(part: unknown): unknown {
  if (part === null || typeof part !== 'object') return part;
  if (Array.isArray(part)) return part.map(sorted);
  if (part instanceof Date) return part;
  const fields = part as Record<string, unknown>;
  const keys = Object.keys(fields).toSorted();
  return Object.fromEntries(keys.map((key) => [key, sorted(fields[key])]));
}

/** SHA-256 in hexadecimal of a text, or of a value's canonical JSON. */
export function sha256(value: unknown): string {
  const text = typeof value === 'string' ? value : canonicalJson(value);
  return hash('sha256', text, 'hex');
}
