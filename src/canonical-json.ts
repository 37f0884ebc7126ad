import { hash } from 'node:crypto';

/** JSON with sorted keys and without undefined: the same content gives the same bytes on every host. */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, part: unknown) => {
    if (part === null || typeof part !== 'object' || Array.isArray(part)) return part;
    return Object.fromEntries(Object.entries(part).toSorted(([a], [b]) => (a < b ? -1 : a > b ? 1 : 0)));
  });
}

/** SHA-256 in hexadecimal of a text, or of a value's canonical JSON. */
export function sha256(value: unknown): string {
  const text = typeof value === 'string' ? value : canonicalJson(value);
  return hash('sha256', text, 'hex');
}
