/** A copy of its own: V8 makes a part of a text a view of it, and what is remembered may outlive its document by far. */
export function detached(part: string): string {
  return Buffer.from(part).toString();
}
