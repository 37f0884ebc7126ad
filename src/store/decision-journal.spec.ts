import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { decisionRecord, domainRecord, eventRecord } from '../../test/store/records.js';
import { DecisionJournal, type JournalOptions } from './decision-journal.js';
import { UnwritableError, type Entry, type Store } from './store.js';

const HOST = 'node-1';

/** Of a store just what the journal asks for; the trouble can be chosen. */
class ScriptedStore {
  readonly batches: (readonly Entry[])[] = [];
  trouble: ((batch: readonly Entry[]) => Error | undefined) | undefined;

  async write(batch: readonly Entry[]): Promise<void> {
    await sleep(1);
    const error = this.trouble?.(batch);
    if (error) throw error;
    this.batches.push(batch);
  }

  get entries(): Entry[] {
    return this.batches.flat();
  }

  get gaps(): string[] {
    return this.entries.flatMap((entry) =>
      entry.type === 'event' && entry.record.kind === 'gap' ? [entry.record.detail] : [],
    );
  }
}

function journalOn(store: ScriptedStore, options: Partial<JournalOptions> = {}): DecisionJournal {
  return new DecisionJournal(store as unknown as Store, { host: HOST, ...options });
}

const away = () => new Error('gone fishing');

function numbersOf(entries: readonly Entry[]): string[] {
  return entries.flatMap((entry) => {
    if (entry.type === 'decision') return [`decision ${entry.record.decision.domain.name}`];
    if (entry.type === 'domain') return [`domain ${entry.record.name}`];
    if (entry.type === 'domain-gone') return [`gone ${entry.uuid}`];
    return entry.record.kind === 'gap' ? [] : [entry.record.detail];
  });
}

describe('the journal', () => {
  it('returns before anything is written, and then writes in order, many in one batch', async () => {
    const store = new ScriptedStore();
    const journal = journalOn(store);
    journal.decision(decisionRecord(1));
    for (let n = 0; n < 200; n += 1) journal.event(eventRecord(n));
    journal.domain(domainRecord(1, { name: 'vm' }));
    expect(store.batches).toEqual([]);
    expect(journal.status()).toEqual({ state: 'ok', pending: 202, lost: 0 });
    expect(await journal.flush(5_000)).toBe(true);
    expect(numbersOf(store.entries)).toEqual([
      'decision vm-1',
      ...Array.from({ length: 200 }, (_, n) => `event ${n}`),
      'domain vm',
    ]);
    expect(store.batches.length).toBeLessThan(10);
    expect(journal.status()).toEqual({ state: 'ok', pending: 0, lost: 0 });
  });

  it('tells since when the store is away and why, and records one gap for it', async () => {
    const store = new ScriptedStore();
    store.trouble = away;
    let now = Date.parse('2026-01-01T00:00:00Z');
    const journal = journalOn(store, { clock: () => new Date(now) });
    journal.event(eventRecord(1));
    await sleep(200);
    now += 60_000;
    journal.event(eventRecord(2));
    expect(journal.status()).toEqual({
      state: 'away',
      pending: 2,
      lost: 0,
      lastError: 'gone fishing',
      since: '2026-01-01T00:00:00.000Z',
    });
    store.trouble = undefined;
    expect(await journal.flush(5_000)).toBe(true);
    expect(store.gaps).toEqual([
      'From 2026-01-01T00:00:00.000Z to 2026-01-01T00:01:00.000Z not everything was written: gone fishing. ' +
        '2 entries come late, 0 are lost.',
    ]);
    expect(numbersOf(store.entries)).toEqual(['event 1', 'event 2']);
  });

  it('keeps a bounded number while the store is away: decisions go first, the oldest first', async () => {
    const store = new ScriptedStore();
    store.trouble = away;
    const journal = journalOn(store, { bounds: { entries: 10, bytes: 2 ** 20 } });
    for (let n = 0; n < 6; n += 1) {
      journal.decision(decisionRecord(n));
      journal.event(eventRecord(n));
    }
    await sleep(50);
    for (let n = 6; n < 10; n += 1) journal.event(eventRecord(n));
    expect(journal.status()).toMatchObject({ state: 'away', pending: 10, lost: 6 });
    journal.event(eventRecord(10));
    store.trouble = undefined;
    await journal.flush(5_000);
    expect(numbersOf(store.entries)).toEqual(Array.from({ length: 10 }, (_, n) => `event ${n + 1}`));
    expect(store.gaps).toEqual([expect.stringContaining('10 entries come late, 7 are lost.')]);
    expect(journal.status()).toEqual({ state: 'ok', pending: 0, lost: 7 });
  });

  it('keeps a bounded size while the store is away', async () => {
    const store = new ScriptedStore();
    store.trouble = away;
    const journal = journalOn(store, { bounds: { entries: 10_000, bytes: 64 * 1024 } });
    for (let n = 0; n < 100; n += 1) journal.event(eventRecord(n, { detail: 'x'.repeat(4096) }));
    const { pending, lost } = journal.status();
    expect(pending).toBeLessThanOrEqual(16);
    expect(pending + lost).toBe(100);
  });

  it('keeps of each domain just the last that is known', async () => {
    const store = new ScriptedStore();
    store.trouble = away;
    const journal = journalOn(store);
    for (let n = 0; n < 1000; n += 1) journal.domain(domainRecord(n % 3, { name: `vm ${n}` }));
    await sleep(50);
    const gone = domainRecord(1);
    journal.domainGone(gone.host, gone.uuid);
    expect(journal.status()).toMatchObject({ pending: 3, lost: 0 });
    store.trouble = undefined;
    await journal.flush(5_000);
    expect(numbersOf(store.entries)).toEqual(['domain vm 998', 'domain vm 999', `gone ${gone.uuid}`]);
  });

  it('leaves out the one entry that cannot be written, and says so', async () => {
    const store = new ScriptedStore();
    store.trouble = (batch) =>
      numbersOf(batch).includes('event 77')
        ? new UnwritableError('refused', { cause: new Error('it is too odd') })
        : undefined;
    const journal = journalOn(store);
    for (let n = 0; n < 150; n += 1) journal.event(eventRecord(n));
    expect(await journal.flush(5_000)).toBe(true);
    expect(numbersOf(store.entries)).toEqual(
      Array.from({ length: 150 }, (_, n) => `event ${n}`).filter((event) => event !== 'event 77'),
    );
    expect(store.gaps).toEqual([expect.stringMatching(/it is too odd\. 0 entries come late, 1 are lost\.$/)]);
    expect(journal.status()).toEqual({ state: 'ok', pending: 0, lost: 1 });
  });

  it('never throws, even for what has no JSON', async () => {
    const store = new ScriptedStore();
    const journal = journalOn(store);
    const cycle = { ...eventRecord(1), owner: {} as Record<string, unknown> };
    cycle.owner['itself'] = cycle.owner;
    journal.event(cycle);
    expect(await journal.flush(5_000)).toBe(true);
    expect(journal.status()).toEqual({ state: 'ok', pending: 0, lost: 1 });
    expect(store.gaps).toHaveLength(1);
  });

  it('gives up a flush after its time', async () => {
    const store = new ScriptedStore();
    store.trouble = away;
    const journal = journalOn(store);
    journal.event(eventRecord(1));
    expect(await journal.flush(100)).toBe(false);
    expect(journal.status().pending).toBe(1);
  });

  it('waits ever longer between tries, up to five seconds, but tries at once for a flush', async () => {
    const store = new ScriptedStore();
    const tries: number[] = [];
    store.trouble = () => {
      tries.push(performance.now());
      return away();
    };
    const journal = journalOn(store);
    journal.event(eventRecord(1));
    await sleep(1_000);
    const pauses = tries.slice(1).map((at, n) => at - tries[n]!);
    expect(pauses.length).toBe(3);
    expect(pauses[0]).toBeGreaterThan(95);
    expect(pauses[1]).toBeGreaterThan(195);
    expect(pauses[2]).toBeGreaterThan(395);
    store.trouble = undefined;
    expect(await journal.flush(200)).toBe(true);
  });
});
