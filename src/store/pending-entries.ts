import type { Entry } from './store.js';

/** How much waits at most. */
export interface Bounds {
  entries: number;
  /** Of the entries' JSON. */
  bytes: number;
}

interface Pending {
  entry: Entry;
  bytes: number;
}

/**
 * What waits to be written, in order and bounded. Of a domain only the last record is kept; when it becomes too much, the
 * oldest decisions go first, then the oldest events, then the oldest domain records.
 */
export class PendingEntries {
  /** In order of insertion; a domain's key is its own, so that a newer record takes the place of an older. */
  #entries = new Map<string, Pending>();
  #count = 0;
  #bytes = 0;

  constructor(private readonly bounds: Bounds) {}

  get size(): number {
    return this.#entries.size;
  }

  /** Returns how many entries had to go for it; superseded ones do not count. */
  add(entry: Entry): number {
    const key = this.#keyOf(entry);
    this.#delete(key);
    const bytes = JSON.stringify(entry).length;
    this.#entries.set(key, { entry, bytes });
    this.#bytes += bytes;
    let dropped = 0;
    while (this.#entries.size > this.bounds.entries || this.#bytes > this.bounds.bytes) {
      this.#delete(this.#leastWanted());
      dropped += 1;
    }
    return dropped;
  }

  /** Takes out the oldest, up to a number of entries and so much JSON, but at least one. */
  take(entries: number, bytes: number): Entry[] {
    const taken: Entry[] = [];
    let size = 0;
    for (const [key, pending] of this.#entries) {
      size += pending.bytes;
      if (taken.length === entries || (taken.length > 0 && size > bytes)) break;
      taken.push(pending.entry);
      this.#delete(key);
    }
    return taken;
  }

  /** Puts what was taken back before all else; returns how many entries had to go for it. */
  putBack(taken: readonly Entry[]): number {
    const since = this.#entries;
    this.#entries = new Map();
    this.#bytes = 0;
    let dropped = 0;
    for (const entry of [...taken, ...[...since.values()].map(({ entry }) => entry)])
      dropped += this.add(entry);
    return dropped;
  }

  #keyOf(entry: Entry): string {
    switch (entry.type) {
      case 'domain':
        return JSON.stringify([entry.record.host, entry.record.uuid]);
      case 'domain-gone':
        return JSON.stringify([entry.host, entry.uuid]);
      default:
        this.#count += 1;
        return `${this.#count}`;
    }
  }

  #delete(key: string): void {
    this.#bytes -= this.#entries.get(key)?.bytes ?? 0;
    this.#entries.delete(key);
  }

  #leastWanted(): string {
    let event: string | undefined;
    let domain: string | undefined;
    for (const [key, { entry }] of this.#entries) {
      if (entry.type === 'decision') return key;
      if (entry.type === 'event') event ??= key;
      else domain ??= key;
    }
    return event ?? domain!;
  }
}
