import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { LocatedError } from '../../src/located-error.js';
import { openStore } from '../../src/store/open-store.js';
import type { DecisionQuery, DomainQuery, EventQuery, Page, Paging, Store } from '../../src/store/store.js';
import { UnwritableError } from '../../src/store/store.js';
import { PostgresServer } from './postgres-server.js';
import {
  GPU,
  HOST,
  NVME,
  START,
  decisionEntry,
  decisionRecord,
  domainEntry,
  domainRecord,
  eventEntry,
  eventRecord,
  uuid,
} from './records.js';

/** Servers and processes are started, also on a busy machine. */
vi.setConfig({ testTimeout: 90_000, hookTimeout: 90_000 });

const DAY = 86_400_000;

/** Each test gets an empty database, of a real server or a real file. */
interface Databases {
  open(name: string): Promise<Store>;
  remove(): Promise<void>;
}

async function sqliteFiles(): Promise<Databases> {
  const directory = mkdtempSync(join(tmpdir(), 'warden-store-'));
  return {
    open: (name) => openStore({ sqliteFile: join(directory, `${name}.db`), host: HOST }),
    remove: async () => rmSync(directory, { recursive: true }),
  };
}

async function postgresDatabases(): Promise<Databases> {
  const server = await PostgresServer.start();
  return {
    open: async (name) =>
      openStore({ databaseUrl: await server.createDatabase(name), sqliteFile: '/nowhere', host: HOST }),
    remove: () => server.remove(),
  };
}

async function everything<Q extends Paging, T>(
  list: (query: Q) => Promise<Page<T>>,
  query: Omit<Q, 'cursor'>,
): Promise<T[]> {
  const items: T[] = [];
  let page: Page<T> | undefined;
  do {
    page = await list({ ...query, ...(page?.next !== undefined && { cursor: page.next }) } as Q);
    items.push(...page.items);
  } while (page.next !== undefined);
  return items;
}

describe.each([
  ['SQLite', sqliteFiles],
  ['PostgreSQL', postgresDatabases],
])('the store on %s', (_, databases) => {
  let available: Databases;
  let store: Store;
  let count = 0;

  beforeAll(async () => {
    available = await databases();
  });
  afterAll(() => available?.remove());
  beforeEach(async () => {
    store = await available.open(`test${(count += 1)}`);
    return () => store.close();
  });

  const decisionIds = async (query: Omit<DecisionQuery, 'limit'>) =>
    (await store.decisions({ limit: 100, ...query })).items.map(({ id }) => id);
  const eventDetails = async (query: Omit<EventQuery, 'limit'>) =>
    (await store.events({ limit: 100, ...query })).items.map(({ detail }) => detail);
  const domainNames = async (query: Omit<DomainQuery, 'limit'>) =>
    (await store.domains({ limit: 100, ...query })).items.map(({ name }) => name);
  const idOf = (number: number) => decisionRecord(number).decision.id;

  describe('decisions', () => {
    it('gives a decision back as it was made', async () => {
      const record = decisionRecord(1);
      await store.write([{ type: 'decision', record }]);
      expect(await store.decision(record.decision.id)).toEqual(JSON.parse(JSON.stringify(record)));
      expect(await store.decision('wd-none')).toBeUndefined();
    });

    it('never changes one: the same id again is ignored, in one batch or in two', async () => {
      const first = decisionRecord(1);
      const again = { ...first, host: 'another' };
      await store.write([
        { type: 'decision', record: first },
        { type: 'decision', record: again },
      ]);
      await store.write([{ type: 'decision', record: again }]);
      expect(await store.decisions({ limit: 10 })).toEqual({
        items: [
          {
            id: first.decision.id,
            host: HOST,
            at: new Date(START + 1).toISOString(),
            surface: 'proxy',
            operation: 'define',
            domainName: 'vm-1',
            domainUuid: uuid(1),
            verdict: 'restricted',
            devices: [NVME],
          },
        ],
      });
      expect((await store.decision(first.decision.id))?.host).toBe(HOST);
    });

    it('finds them by domain, device, verdict, host and time', async () => {
      await store.write([
        decisionEntry(1),
        decisionEntry(2, { device: GPU, verdict: 'denied' }),
        decisionEntry(3, { host: 'node-2', domainName: 'vm-1' }),
      ]);
      expect(await decisionIds({})).toEqual([idOf(3), idOf(2), idOf(1)]);
      expect(await decisionIds({ domain: 'vm-1' })).toEqual([idOf(3), idOf(1)]);
      expect(await decisionIds({ domain: uuid(2).toUpperCase() })).toEqual([idOf(2)]);
      expect(await decisionIds({ device: GPU })).toEqual([idOf(2)]);
      expect(await decisionIds({ device: '81:00.0', domain: 'vm-1' })).toEqual([idOf(3), idOf(1)]);
      expect(await decisionIds({ verdict: 'denied' })).toEqual([idOf(2)]);
      expect(await decisionIds({ host: 'node-2' })).toEqual([idOf(3)]);
      expect(await decisionIds({ domain: 'vm-1', host: HOST, verdict: 'restricted' })).toEqual([idOf(1)]);
      expect(await decisionIds({ device: NVME, host: 'node-2', verdict: 'restricted' })).toEqual([idOf(3)]);
      const [second, third] = [START + 2, START + 3].map((at) => new Date(at).toISOString());
      expect(await decisionIds({ since: second, until: third })).toEqual([idOf(2)]);
      expect(await decisionIds({ device: NVME, until: third })).toEqual([idOf(1)]);
    });

    it('finds a domain whose name looks like a UUID', async () => {
      await store.write([decisionEntry(1, { domainName: uuid(99) })]);
      expect(await decisionIds({ domain: uuid(99) })).toEqual([idOf(1)]);
    });

    it('takes times with and without milliseconds, and lists decisions of one time by id', async () => {
      const record = decisionRecord(1);
      record.decision.inputs = { ...record.decision.inputs, evaluatedAt: '2026-01-01T00:00:01Z' };
      await store.write([
        { type: 'decision', record },
        ...[2, 3, 4].map((n) => decisionEntry(n, { at: START })),
      ]);
      const ids = (await everything(store.decisions.bind(store), { limit: 1 })).map(({ id }) => id);
      expect(ids).toEqual([idOf(1), ...[idOf(2), idOf(3), idOf(4)].toSorted().toReversed()]);
    });

    it('pages without showing one twice or missing one, while new ones come in', async () => {
      await store.write(Array.from({ length: 25 }, (_, n) => decisionEntry(n)));
      for (const device of [undefined, NVME]) {
        const query = { limit: 10, ...(device !== undefined && { device }) };
        const first = await store.decisions(query);
        await store.write([decisionEntry(1000 + (device === undefined ? 0 : 1))]);
        const second = await store.decisions({ ...query, cursor: first.next! });
        const third = await store.decisions({ ...query, cursor: second.next! });
        const shown = [first, second, third].flatMap(({ items }) =>
          items.map(({ domainName }) => domainName),
        );
        expect(shown.filter((name) => !name.startsWith('vm-100'))).toEqual(
          Array.from({ length: 25 }, (_, n) => `vm-${24 - n}`),
        );
        expect(third.next).toBeUndefined();
      }
    });

    it('takes a domain name that no index could, and texts that a database could not hold', async () => {
      const long = 'n'.repeat(10_000);
      await store.write([
        decisionEntry(1, { domainName: long }),
        decisionEntry(2, { domainName: 'a\0b' }),
        eventEntry(1, { domainName: long, detail: 'nul \0, half a pair \ud800' }),
        domainEntry(1, { name: long, owner: { instanceName: long } }),
      ]);
      expect((await store.decision(idOf(1)))?.decision.domain.name).toBe(long);
      expect(await decisionIds({ domain: long })).toEqual([idOf(1)]);
      expect(await decisionIds({ domain: 'a\0b' })).toEqual([idOf(2)]);
      expect(await eventDetails({ domain: long })).toEqual(['nul \ufffd, half a pair \ufffd']);
      expect((await store.domain(HOST, long))?.name).toBe(long);
    });
  });

  describe('events', () => {
    it('lists them newest first with their place in the order of all', async () => {
      await store.write([eventEntry(1), eventEntry(2)]);
      await store.write([eventEntry(3)]);
      const events = await everything(store.events.bind(store), { limit: 2 });
      expect(events.map(({ detail }) => detail)).toEqual(['event 3', 'event 2', 'event 1']);
      const [last, middle, first] = events.map(({ sequence }) => sequence);
      expect(last! > middle! && middle! > first!).toBe(true);
    });

    it('gives one back as it was written', async () => {
      const full = eventRecord(1, {
        kind: 'mode-changed',
        decisionId: 'wd-1',
        domainUuid: uuid(1),
        domainName: 'vm',
        actor: 'token:ops',
      });
      await store.write([
        { type: 'event', record: full },
        { type: 'event', record: eventRecord(2) },
      ]);
      const { items } = await store.events({ limit: 10 });
      expect(items).toEqual([
        { ...eventRecord(2), sequence: expect.any(Number) as number },
        { ...full, sequence: expect.any(Number) as number },
      ]);
    });

    it('finds them by decision, domain, kind and host', async () => {
      await store.write([
        eventEntry(1, { decisionId: 'wd-1', domainName: 'vm', domainUuid: uuid(7) }),
        eventEntry(2, { kind: 'vetoed', domainName: 'vm' }),
        eventEntry(3, { host: 'node-2' }),
      ]);
      expect(await eventDetails({ decisionId: 'wd-1' })).toEqual(['event 1']);
      expect(await eventDetails({ domain: 'vm' })).toEqual(['event 2', 'event 1']);
      expect(await eventDetails({ domain: uuid(7) })).toEqual(['event 1']);
      expect(await eventDetails({ kind: 'vetoed' })).toEqual(['event 2']);
      expect(await eventDetails({ host: 'node-2' })).toEqual(['event 3']);
      expect(await eventDetails({ domain: 'vm', kind: 'vetoed', host: HOST })).toEqual(['event 2']);
    });
  });

  describe('domains', () => {
    it('keeps one record for each, the last, until it is gone', async () => {
      await store.write([domainEntry(1), domainEntry(1, { name: 'renamed' })]);
      await store.write([domainEntry(1, { name: 'again', active: false })]);
      expect(await domainNames({})).toEqual(['again']);
      await store.write([
        { type: 'domain-gone', host: HOST, uuid: uuid(1) },
        { type: 'domain-gone', host: HOST, uuid: uuid(2) },
      ]);
      expect(await domainNames({})).toEqual([]);
      await store.write([
        { type: 'domain-gone', host: HOST, uuid: uuid(1) },
        domainEntry(1, { name: 'defined anew' }),
        domainEntry(2),
        { type: 'domain-gone', host: HOST, uuid: uuid(2) },
      ]);
      expect(await domainNames({})).toEqual(['defined anew']);
    });

    it('finds one by UUID, libvirt name or instance name, on its own host only', async () => {
      const record = domainRecord(1, { owner: { instanceName: 'web' } });
      await store.write([
        { type: 'domain', record },
        domainEntry(2, { host: 'node-2', owner: { instanceName: 'web' } }),
      ]);
      for (const key of [record.uuid, record.uuid.toUpperCase(), record.name, 'web']) {
        expect(await store.domain(HOST, key)).toEqual(record);
      }
      expect(await store.domain('node-3', 'web')).toBeUndefined();
    });

    it('takes the one that is there where its name belonged to one that is gone', async () => {
      await store.write([
        domainEntry(1, { name: 'web', active: false, persistent: false }),
        domainEntry(2, { name: 'web' }),
        domainEntry(3, { name: 'web', active: false, persistent: false }),
      ]);
      expect((await store.domain(HOST, 'web'))?.uuid).toBe(uuid(2));
      expect((await store.domain(HOST, uuid(3)))?.uuid).toBe(uuid(3));
    });

    it('takes the libvirt name before an instance name, and asks back where an instance name is not clear', async () => {
      await store.write([
        domainEntry(1, { name: 'web' }),
        domainEntry(2, { owner: { instanceName: 'web' } }),
        domainEntry(3, { owner: { instanceName: 'db' } }),
        domainEntry(4, { owner: { instanceName: 'db' } }),
      ]);
      expect((await store.domain(HOST, 'web'))?.uuid).toBe(uuid(1));
      await expect(store.domain(HOST, 'db')).rejects.toThrow(
        `db: several domains have this instance name. Ask by UUID: ${uuid(3)}, ${uuid(4)}.`,
      );
    });

    it('finds them by what runs, what is unprotected, device, host, and any text of the owner', async () => {
      await store.write([
        domainEntry(1, { name: 'a', active: false, persistent: false, devices: [NVME] }),
        domainEntry(2, { name: 'b', unprotected: true, devices: [NVME, GPU] }),
        domainEntry(3, {
          name: 'c',
          host: 'node-2',
          owner: { instanceName: 'Web_1', projectId: 'p-77', projectName: 'Größe', flavor: 'gpu.large' },
        }),
      ]);
      expect(await domainNames({ active: false })).toEqual(['a']);
      expect(await domainNames({ present: true })).toEqual(['b', 'c']);
      expect(await domainNames({ unprotected: true })).toEqual(['b']);
      expect(await domainNames({ device: NVME })).toEqual(['a', 'b']);
      expect(await domainNames({ device: NVME, active: true })).toEqual(['b']);
      expect(await domainNames({ host: 'node-2' })).toEqual(['c']);
      for (const text of ['web_', 'P-77', 'GRÖSSE'.replace('SS', 'ß'), 'gpu.l', uuid(3)]) {
        expect(await domainNames({ text })).toEqual(['c']);
      }
      for (const text of ['%', 'web%', 'webx1', '\\']) expect(await domainNames({ text })).toEqual([]);
    });

    it('pages by name', async () => {
      await store.write(Array.from({ length: 7 }, (_, n) => domainEntry(n)));
      await store.write(
        Array.from({ length: 3 }, (_, n) => domainEntry(10 + n, { host: 'node-2', name: 'same' })),
      );
      const names = (await everything(store.domains.bind(store), { limit: 2 })).map(({ uuid }) => uuid);
      expect(names).toEqual([0, 1, 2, 3, 4, 5, 6, 10, 11, 12].map(uuid));
    });
  });

  describe('retention', () => {
    const NOW = new Date(START + 100 * DAY);
    const old = (n: number) => decisionEntry(n, { at: START + n });
    const recent = (n: number) => decisionEntry(n, { at: NOW.getTime() - n });

    it('deletes what is older than the days, with its events and devices', async () => {
      await store.write([old(1), recent(2)]);
      await store.write([1, 2].map((n) => eventEntry(n, { decisionId: idOf(n), at: NOW.toISOString() })));
      await store.write([eventEntry(3), eventEntry(4, { at: NOW.toISOString() })]);
      expect(await store.prune({ days: 30, decisions: 1000 }, NOW)).toBe(1);
      expect(await decisionIds({})).toEqual([idOf(2)]);
      expect(await decisionIds({ device: NVME })).toEqual([idOf(2)]);
      expect(await eventDetails({})).toEqual(['event 4', 'event 2']);
      expect(await store.prune({ days: 30, decisions: 1000 }, NOW)).toBe(0);
    });

    it('deletes the oldest of more than the count', async () => {
      await store.write(Array.from({ length: 1050 }, (_, n) => recent(n)));
      expect(await store.prune({ days: 30, decisions: 10 }, NOW)).toBe(1040);
      expect(await decisionIds({})).toEqual(Array.from({ length: 10 }, (_, n) => idOf(n)));
      expect(await store.prune({ days: 30, decisions: 0 }, NOW)).toBe(10);
    });

    it('keeps what the record of a domain refers to, and its events', async () => {
      await store.write([old(1), old(2), domainEntry(1, { decisionId: idOf(1) })]);
      await store.write([1, 2].map((n) => eventEntry(n, { decisionId: idOf(n) })));
      expect(await store.prune({ days: 30, decisions: 0 }, NOW)).toBe(1);
      expect(await decisionIds({})).toEqual([idOf(1)]);
      expect(await eventDetails({})).toEqual(['event 1']);
      await store.write([{ type: 'domain-gone', host: HOST, uuid: uuid(1) }]);
      expect(await store.prune({ days: 30, decisions: 10 }, NOW)).toBe(1);
      expect(await eventDetails({})).toEqual([]);
    });
  });

  describe('what it refuses', () => {
    it('writes nothing of a batch of which something cannot be written', async () => {
      const broken = eventEntry(2, { at: 'yesterday' });
      await expect(store.write([decisionEntry(1), eventEntry(1), broken])).rejects.toThrow(UnwritableError);
      expect(await decisionIds({})).toEqual([]);
      expect(await eventDetails({})).toEqual([]);
    });

    it('says what is wrong with a cursor, a limit, a time or an address', async () => {
      await store.write([decisionEntry(1), decisionEntry(2), eventEntry(1), eventEntry(2)]);
      const ofEvents = (await store.events({ limit: 1 })).next!;
      for (const cursor of [
        '',
        'x',
        ofEvents,
        Buffer.from('[1]').toString('base64url'),
        'A'.repeat(100_000),
      ]) {
        await expect(store.decisions({ limit: 1, cursor })).rejects.toThrow(
          /cursor: it is no cursor of the list/,
        );
      }
      for (const limit of [0, 1001, 1.5, Number.NaN]) {
        await expect(store.events({ limit })).rejects.toThrow(/limit: a page has 1 to 1000 entries/);
      }
      await expect(store.decisions({ limit: 1, since: 'now' })).rejects.toThrow(/since: "now" is no time/);
      await expect(store.decisions({ limit: 1, device: 'gpu' })).rejects.toThrow(LocatedError);
    });
  });

  it('answers a ping, and rejects once it is closed', async () => {
    await store.ping();
    const other = await available.open(`closed${count}`);
    await other.close();
    await expect(other.ping()).rejects.toThrow();
  });
});
