import { setImmediate as turn } from 'node:timers/promises';
import type { Journal } from './journal.js';
import { PendingEntries, type Bounds } from './pending-entries.js';
import type { DecisionRecord, DomainRecord, EventRecord } from './records.js';
import { UnwritableError, type Entry, type Store } from './store.js';

export interface JournalOptions {
  /** Name of this node, for `gap` events. */
  host: string;
  clock?: () => Date;
  /** Of what waits while the store is away. */
  bounds?: Bounds;
}

export interface JournalStatus {
  /** `away` from the first write that failed to the first that is done again. */
  state: 'ok' | 'away';
  /** Entries that wait to be written. */
  pending: number;
  /** Entries that will never be written, since the start. */
  lost: number;
  /** Why the last write failed, while away. */
  lastError?: string;
  /** ISO 8601, UTC: since when it is away. */
  since?: string;
}

const BOUNDS: Bounds = { entries: 10_000, bytes: 32 * 2 ** 20 };

/** One transaction: so much that its price is shared, so little that it takes a few milliseconds of the event loop. */
const BATCH_ENTRIES = 32;
const BATCH_BYTES = 2 ** 20;

const FIRST_PAUSE_MS = 100;
const LONGEST_PAUSE_MS = 5_000;

/** Something was not written when it should have been. */
interface Gap {
  from: Date;
  reason: string;
  lost: number;
}

/** Hands what happens to the store, a batch at a time, and keeps it while the store is away. */
export class DecisionJournal implements Journal {
  readonly #store: Store;
  readonly #host: string;
  readonly #clock: () => Date;
  readonly #pending: PendingEntries;
  /** What has not been measured and put in order yet. */
  readonly #arrived: Entry[] = [];
  #inFlight = 0;
  #batchEntries = BATCH_ENTRIES;
  #lost = 0;
  #gap: Gap | undefined;
  #away = false;
  #draining: Promise<void> | undefined;
  /** Ends the pause before the next try. */
  #wake: (() => void) | undefined;

  constructor(store: Store, { host, clock = () => new Date(), bounds = BOUNDS }: JournalOptions) {
    this.#store = store;
    this.#host = host;
    this.#clock = clock;
    this.#pending = new PendingEntries(bounds);
  }

  decision(record: DecisionRecord): void {
    this.#add({ type: 'decision', record });
  }

  event(record: EventRecord): void {
    this.#add({ type: 'event', record });
  }

  domain(record: DomainRecord): void {
    this.#add({ type: 'domain', record });
  }

  domainGone(host: string, uuid: string): void {
    this.#add({ type: 'domain-gone', host, uuid });
  }

  status(): JournalStatus {
    this.#takeIn();
    return {
      state: this.#away ? 'away' : 'ok',
      pending: this.#pending.size + this.#inFlight,
      lost: this.#lost,
      ...(this.#away && this.#gap && { lastError: this.#gap.reason, since: this.#gap.from.toISOString() }),
    };
  }

  /** Waits until everything is written, trying at once; returns whether it was within the time. */
  async flush(timeoutMs: number): Promise<boolean> {
    this.#takeIn();
    this.#wake?.();
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<false>((resolve) => {
      timer = setTimeout(resolve, timeoutMs, false);
    });
    const written = (this.#draining ?? Promise.resolve()).then(() => true);
    const flushed = await Promise.race([written, timeout]);
    clearTimeout(timer);
    return flushed;
  }

  /** Costs the caller nothing but this: an answer to a client goes out first, and its record is looked at after. */
  #add(entry: Entry): void {
    this.#arrived.push(entry);
    if (this.#arrived.length === 1) setImmediate(() => this.#takeIn());
  }

  #takeIn(): void {
    for (const entry of this.#arrived.splice(0)) {
      try {
        this.#countLost(this.#pending.add(entry), 'more happened than is kept while the store is away');
      } catch (error) {
        // Only what has no JSON, such as a cycle. Whoever reports what happened must not fail for it.
        this.#countLost(1, messageOf(error));
      }
      this.#draining ??= this.#drain();
    }
  }

  /** Never rejects. */
  async #drain(): Promise<void> {
    let pauseMs = FIRST_PAUSE_MS;
    await turn();
    while (this.#pending.size > 0 || this.#gap) {
      const batch = this.#pending.take(this.#batchEntries, BATCH_BYTES);
      this.#inFlight = batch.length;
      const gap = this.#gap;
      try {
        await this.#store.write(gap ? [this.#gapEntry(gap), ...batch] : batch);
        this.#inFlight = 0;
        this.#away = false;
        this.#closeGap(gap);
        this.#batchEntries = Math.min(BATCH_ENTRIES, this.#batchEntries * 2);
        pauseMs = FIRST_PAUSE_MS;
        await turn();
      } catch (error) {
        this.#inFlight = 0;
        if (error instanceof UnwritableError && batch.length > 0) {
          this.#narrow(batch, error);
        } else {
          this.#away = true;
          this.#gap = { from: this.#clock(), lost: 0, ...this.#gap, reason: messageOf(error) };
          this.#countLost(this.#pending.putBack(batch), this.#gap.reason);
          const woken = await this.#pause(pauseMs);
          pauseMs = woken ? FIRST_PAUSE_MS : Math.min(LONGEST_PAUSE_MS, pauseMs * 2);
        }
      }
    }
    this.#draining = undefined;
  }

  /** Finds the entry that cannot be written in ever smaller batches, and leaves it out. */
  #narrow(batch: readonly Entry[], error: UnwritableError): void {
    if (batch.length <= 1) {
      this.#countLost(batch.length, messageOf(error.cause));
      return;
    }
    this.#batchEntries = Math.ceil(batch.length / 2);
    this.#countLost(this.#pending.putBack(batch), messageOf(error.cause));
  }

  #countLost(lost: number, reason: string): void {
    if (lost === 0) return;
    this.#lost += lost;
    const gap = this.#gap ?? { from: this.#clock(), reason, lost: 0 };
    this.#gap = { ...gap, lost: gap.lost + lost };
  }

  /** What was lost while the gap was being written is told by another. */
  #closeGap(written: Gap | undefined): void {
    if (this.#gap === undefined || written === undefined) return;
    const lost = this.#gap.lost - written.lost;
    this.#gap = lost > 0 ? { ...this.#gap, from: this.#clock(), lost } : undefined;
  }

  #gapEntry({ from, reason, lost }: Gap): Entry {
    const now = this.#clock();
    const late = this.#away ? this.#pending.size + this.#inFlight : 0;
    const detail =
      `From ${from.toISOString()} to ${now.toISOString()} not everything was written: ${reason}. ` +
      `${late} entries come late, ${lost} are lost.`;
    return { type: 'event', record: { host: this.#host, at: now.toISOString(), kind: 'gap', detail } };
  }

  /** Returns whether it was ended early. Does not keep a process alive that has nothing else to do. */
  #pause(ms: number): Promise<boolean> {
    return new Promise((resolve) => {
      const timer = setTimeout(resolve, ms, false).unref();
      this.#wake = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
  }
}

function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  // A server that none of its addresses reaches is told as a set of errors, without a message of its own.
  return error instanceof AggregateError ? error.errors.map(messageOf).join('; ') : error.message;
}
