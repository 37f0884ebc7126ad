import { setTimeout as sleep } from 'node:timers/promises';
import { sql } from 'kysely';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { LocatedError } from '../../src/located-error.js';
import { DecisionJournal } from '../../src/store/decision-journal.js';
import { openStore } from '../../src/store/open-store.js';
import { openPostgres } from '../../src/store/postgres-database.js';
import type { StoredEvent } from '../../src/store/records.js';
import { ReopeningStore } from '../../src/store/reopening-store.js';
import { outputOf, spawnProgram } from './child-process.js';
import { PostgresServer } from './postgres-server.js';
import { HOST, decisionRecord, domainRecord, eventRecord } from './records.js';

/** Servers and processes are started, also on a busy machine. */
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

let server: PostgresServer;

beforeAll(async () => {
  server = await PostgresServer.start();
});
afterAll(() => server?.remove());

const open = (databaseUrl: string) => openStore({ databaseUrl, sqliteFile: '/nowhere', host: HOST });

async function until(condition: () => boolean, ms: number): Promise<void> {
  const end = Date.now() + ms;
  while (!condition()) {
    if (Date.now() > end) throw new Error('it did not happen in time');
    await sleep(20);
  }
}

describe('a PostgreSQL database', () => {
  it('is opened by several nodes at once, of which one makes the schema', async () => {
    const url = await server.createDatabase('together');
    const startAt = String(Date.now() + 3_000);
    const children = [1, 2, 3, 4].map((n) => spawnProgram('open-once.ts', [url, String(n), startAt]));
    expect(await Promise.all(children.map(outputOf))).toEqual(Array(4).fill('done\n'));
    const store = await open(url);
    expect((await store.decisions({ limit: 10 })).items).toHaveLength(4);
    await store.close();
  });

  it('is named without its password where it is refused', async () => {
    await expect(open('mysql://root:secret@db/x')).rejects.toThrow(LocatedError);
    await expect(open('mysql://root:secret@db/x')).rejects.not.toThrow(/secret/);
    await expect(open('not a url: secret')).rejects.not.toThrow(/secret/);
  });

  it('that cannot be reached is told with its reason', async () => {
    await expect(open('postgres://warden@localhost:1/none')).rejects.toThrow();
    const journal = new DecisionJournal(
      new ReopeningStore(() => open('postgres://warden@localhost:1/none')),
      {
        host: HOST,
      },
    );
    journal.event(eventRecord(1));
    await until(() => journal.status().state === 'away', 5_000);
    expect(journal.status().lastError).toMatch(/ECONNREFUSED/);
  });
});

describe('a connection to PostgreSQL', () => {
  it('that the server ends between two queries of a transaction fails that transaction, and nothing else', async () => {
    const { kysely } = openPostgres(server.url());
    const ended = kysely.transaction().execute(async (transaction) => {
      const { rows } = await sql<{ pid: number }>`select pg_backend_pid() as pid`.execute(transaction);
      await sql`select pg_terminate_backend(${rows[0]!.pid})`.execute(kysely);
      await sleep(200);
      await sql`select 1`.execute(transaction);
    });
    await expect(ended).rejects.toThrow('terminating connection due to administrator command');
    const { rows } = await sql<{ one: number }>`select 1 as one`.execute(kysely);
    expect(rows).toEqual([{ one: 1 }]);
    await kysely.destroy();
  });
});

describe('the journal on PostgreSQL', () => {
  it('starts before the server does, and goes on through a restart, with everything in order', async () => {
    const url = await server.createDatabase('restarted');
    await server.stop();
    const store = new ReopeningStore(() => open(url));
    const journal = new DecisionJournal(store, { host: HOST });
    journal.event(eventRecord(0));
    await until(() => journal.status().state === 'away', 5_000);
    await server.begin();
    expect(await journal.flush(10_000)).toBe(true);

    let number = 1;
    const busy = setInterval(() => {
      journal.event(eventRecord(number));
      number += 1;
    }, 1);
    await sleep(200);
    await server.stop();
    await until(() => journal.status().state === 'away', 5_000);
    await sleep(300);
    await server.begin();
    await sleep(200);
    clearInterval(busy);
    expect(await journal.flush(10_000)).toBe(true);
    expect(journal.status()).toEqual({ state: 'ok', pending: 0, lost: 0 });

    const events: StoredEvent[] = [];
    let cursor: string | undefined;
    do {
      const page = await store.events({ limit: 1000, ...(cursor !== undefined && { cursor }) });
      events.unshift(...page.items.toReversed());
      cursor = page.next;
    } while (cursor !== undefined);
    const told = events.filter(({ kind }) => kind !== 'gap').map(({ detail }) => detail);
    expect(told).toEqual(Array.from({ length: number }, (_, n) => `event ${n}`));
    expect(events.filter(({ kind }) => kind === 'gap')).toHaveLength(2);
    await store.close();
  });

  it('is not held up by a server that stands still with its connections open', async () => {
    const url = await server.createDatabase('frozen');
    const store = new ReopeningStore(() => open(url));
    const journal = new DecisionJournal(store, { host: HOST });
    journal.domain(domainRecord(1));
    expect(await journal.flush(5_000)).toBe(true);
    server.freeze();
    try {
      for (let n = 0; n < 100; n += 1) journal.decision(decisionRecord(n));
      await until(() => journal.status().state === 'away', 25_000);
    } finally {
      server.thaw();
    }
    expect(await journal.flush(15_000)).toBe(true);
    expect(journal.status()).toEqual({ state: 'ok', pending: 0, lost: 0 });
    expect((await store.decisions({ limit: 1000 })).items).toHaveLength(100);
    await store.close();
  });
});
