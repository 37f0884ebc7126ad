import SqliteConnection from 'better-sqlite3';
import { once } from 'node:events';
import {
  mkdtempSync,
  readFileSync,
  readdirSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { LocatedError } from '../../src/located-error.js';
import { DecisionJournal, type JournalStatus } from '../../src/store/decision-journal.js';
import { openStore } from '../../src/store/open-store.js';
import type { StoredEvent } from '../../src/store/records.js';
import { ReopeningStore } from '../../src/store/reopening-store.js';
import type { Store } from '../../src/store/store.js';
import { lineOf, outputOf, spawnProgram } from './child-process.js';
import { HOST, decisionEntry, decisionRecord, domainEntry, eventEntry, eventRecord } from './records.js';

/** Servers and processes are started, also on a busy machine. */
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'warden-faults-'));
  file = join(directory, 'state', 'warden.db');
  return () => rmSync(directory, { recursive: true });
});

const open = () => openStore({ sqliteFile: file, host: HOST });
const gaps = async (store: Store) => (await store.events({ limit: 10, kind: 'gap' })).items;
const setAside = () =>
  readdirSync(join(directory, 'state')).filter((name) => /\.corrupt-[\dTZ.]+$/.test(name));

async function written(count: number): Promise<void> {
  const store = await open();
  for (let n = 0; n < count; n += 50) {
    await store.write(Array.from({ length: 50 }, (_, at) => decisionEntry(n + at)));
  }
  await store.close();
}

describe('a database file', () => {
  it('can be read by its owner only', async () => {
    await written(1);
    expect(statSync(file).mode & 0o777).toBe(0o600);
  });

  it('is refused where a newer version wrote it', async () => {
    await written(1);
    const connection = new SqliteConnection(file);
    connection.exec('insert into schema_migrations values (99, 0)');
    connection.close();
    await expect(open()).rejects.toThrow(LocatedError);
    await expect(open()).rejects.toThrow(`${file}: the database has schema 99`);
  });

  it('is opened by several processes at once, of which one makes the schema', async () => {
    const startAt = String(Date.now() + 3_000);
    const children = [1, 2, 3, 4].map((n) => spawnProgram('open-once.ts', [file, String(n), startAt]));
    expect(await Promise.all(children.map(outputOf))).toEqual(Array(4).fill('done\n'));
    const store = await open();
    expect((await store.decisions({ limit: 10 })).items).toHaveLength(4);
    await store.close();
  });
});

describe('a corrupted file', () => {
  it('that is no database is moved aside, and the new one begins with a gap that says where it is', async () => {
    await written(1);
    writeFileSync(file, 'this is no database, whatever its name says. '.repeat(100));
    const store = await open();
    const [aside] = setAside();
    expect(readFileSync(join(directory, 'state', aside!), 'utf8')).toContain('this is no database');
    expect(await gaps(store)).toEqual([
      expect.objectContaining<Partial<StoredEvent>>({
        host: HOST,
        detail: `The database was corrupted: what was recorded before is in ${join(directory, 'state', aside!)}.`,
      }),
    ]);
    await store.write([decisionEntry(1)]);
    await store.close();
    const again = await open();
    expect(await gaps(again)).toHaveLength(1);
    await again.close();
  });

  it('that turns out to be so while it is used is moved aside, and the journal goes on with a new one', async () => {
    await written(1000);
    const store = new ReopeningStore(open);
    await store.ping();
    truncateSync(file, 16_384);
    const journal = new DecisionJournal(store, { host: HOST });
    for (let n = 2000; n < 2010; n += 1) journal.decision(decisionRecord(n));
    expect(await journal.flush(10_000)).toBe(true);
    expect(journal.status()).toEqual({ state: 'ok', pending: 0, lost: 0 });
    expect(setAside()).toHaveLength(1);
    expect((await store.decisions({ limit: 100 })).items).toHaveLength(10);
    const details = (await gaps(store)).map(({ detail }) => detail);
    expect(details.some((detail) => detail.includes('what was recorded before is in'))).toBe(true);
    await store.close();
  });
});

describe('a locked database', () => {
  it('rejects at once, and the journal writes everything in order when it is free again', async () => {
    const store = await open();
    const holder = spawnProgram('lock-holder.ts', [file]);
    await lineOf(holder, 'locked');
    const startedAt = performance.now();
    await expect(store.write([decisionEntry(1)])).rejects.toThrow('database is locked');
    expect(performance.now() - startedAt).toBeLessThan(200);

    const journal = new DecisionJournal(store, { host: HOST });
    for (let n = 0; n < 200; n += 1) {
      journal.event(eventRecord(n));
    }
    await sleep(300);
    expect(journal.status()).toEqual({
      state: 'away',
      pending: 200,
      lost: 0,
      lastError: 'database is locked',
      since: expect.any(String) as string,
    });
    expect((await store.decisions({ limit: 1 })).items).toEqual([]);
    holder.stdin!.end();
    await once(holder, 'close');
    expect(await journal.flush(5_000)).toBe(true);
    expect(journal.status()).toEqual<JournalStatus>({ state: 'ok', pending: 0, lost: 0 });
    const events = (await store.events({ limit: 1000 })).items.toReversed();
    expect(events[0]).toMatchObject({
      kind: 'gap',
      detail: expect.stringMatching(/: database is locked\. 200 entries come late, 0 are lost\.$/) as string,
    });
    expect(events.slice(1).map(({ detail }) => detail)).toEqual(
      Array.from({ length: 200 }, (_, n) => `event ${n}`),
    );
    await store.close();
  });
});

describe.each(['full', 'read-only'] as const)('a disk that is %s', (trouble) => {
  it('is waited for: nothing is lost, and the gap is told', async (context) => {
    if (process.getuid!() !== 0) context.skip('only root can mount a small disk');
    const child = spawnProgram(
      'on-small-disk.ts',
      [join(directory, 'disk'), trouble],
      ['unshare', '--mount', '--propagation', 'private'],
    );
    const { away, flushed, back, number, decisions, gaps } = JSON.parse(await outputOf(child)) as {
      away: JournalStatus;
      flushed: boolean;
      back: JournalStatus;
      number: number;
      decisions: number;
      gaps: StoredEvent[];
    };
    expect(away).toMatchObject({ state: 'away', lost: 0 });
    expect(away.lastError).toMatch(trouble === 'full' ? /disk is full|disk I\/O error/ : /read-only|EROFS/i);
    expect(flushed).toBe(true);
    expect(back).toEqual({ state: 'ok', pending: 0, lost: 0 });
    expect(decisions).toBe(number);
    expect(gaps).toHaveLength(1);
    expect(gaps[0]!.detail).toContain(away.lastError);
  });
});

describe('a writer that is killed', () => {
  it('leaves whole batches only, and at most the last is missing', async () => {
    let first = 0;
    for (const after of [120, 260, 410]) {
      const writer = spawnProgram('endless-writer.ts', [file, String(first)]);
      let output = '';
      writer.stdout!.setEncoding('utf8').on('data', (part: string) => (output += part));
      while (!output.includes('written')) await sleep(10);
      await sleep(after);
      writer.kill('SIGKILL');
      await once(writer, 'close');
      const told = Number(output.trim().split('\n').at(-1)!.split(' ')[1]);

      const store = await open();
      const { items } = await store.decisions({ limit: 1 });
      const last = Number(items[0]!.domainName.slice('vm-'.length));
      expect([told, told + 1]).toContain(last);
      const inBatch = async (n: number) =>
        (await store.events({ limit: 100, decisionId: decisionRecord(n).decision.id })).items.length;
      for (let n = Math.max(0, last - 20); n <= last; n += 1) expect(await inBatch(n)).toBe(9);
      expect(await inBatch(last + 1)).toBe(0);
      first = last + 1;
      await store.write([domainEntry(1), eventEntry(1)]);
      await store.close();
    }
    expect(setAside()).toEqual([]);
  });
});
