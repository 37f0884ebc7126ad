import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decided, decisionAt, happened, known } from './records.js';
import { startService, type TestService } from './service.js';

describe('decisions and events', () => {
  const decisions = [0, 1, 2, 3, 4].map((minute) => decisionAt(minute));
  let service: TestService;

  beforeAll(async () => {
    service = await startService();
    await service.store.write([
      ...decisions.map((decision) => decided(decision)),
      decided(decisionAt(10, 'other'), 'node-2'),
      happened({ kind: 'rewritten', decisionId: decisions[0]!.id, detail: 'define: 2 edits' }),
      happened({ kind: 'stopped', domainName: 'other', host: 'node-2', detail: 'shut down' }),
      known(),
    ]);
  });
  afterAll(() => service.close());

  const ids = async (query: string) => {
    const { body } = await service.api.get(`/v1/decisions?${query}`).expect(200);
    return (body.items as { id: string }[]).map(({ id }) => id);
  };
  const minutes = (...wanted: number[]) => wanted.map((minute) => decisions[minute]!.id);

  it('are listed page by page, newest first, each once', async () => {
    const seen: string[] = [];
    let next: string | undefined;
    do {
      const cursor = next === undefined ? '' : `&cursor=${next}`;
      const { body } = await service.api.get(`/v1/decisions?host=node-1&limit=2${cursor}`).expect(200);
      seen.push(...(body.items as { id: string }[]).map(({ id }) => id));
      next = body.next as string | undefined;
    } while (next !== undefined);
    expect(seen).toEqual(minutes(4, 3, 2, 1, 0));
  });

  it.each([
    ['domain=instance-0000002a&since=2026-11-23T12:03:00Z', [4, 3]],
    ['device=81:00.0&until=2026-11-23T12:01:00Z', [0]],
    ['since=2026-11-23T14:02:00%2B02:00&until=2026-11-23T12:04:00Z', [3, 2]],
    ['host=node-1&verdict=restricted&limit=1', [4]],
    ['verdict=denied', []],
    ['since=2026-11-24', []],
  ])('are found by %s', async (query, wanted) => {
    expect(await ids(query)).toEqual(minutes(...wanted));
  });

  it.each([
    ['limit=0', /limit must not be less than 1/],
    ['limit=1001', /limit must not be greater than 1000/],
    ['limit=x', /limit must be an integer/],
    ['colour=red', /property colour should not exist/],
    ['device=gpu', /address of a PCI function/],
    ['verdict=nice', /verdict must be one of/],
    ['since=yesterday', /since must be a date/],
    ['since=2026-02-30', /a date that exists/],
    ['domain=a&domain=b', /domain must be a string/],
    ['cursor=nonsense', /cursor/],
  ])('are not listed for ?%s', async (query, detail) => {
    const { body } = await service.api
      .get(`/v1/decisions?${query}`)
      .expect(400)
      .expect('content-type', 'application/problem+json');
    expect(body).toMatchObject({ type: 'about:blank', title: 'Bad Request', status: 400 });
    expect(body.detail).toMatch(detail);
  });

  it('are shown with what happened to them, and in words', async () => {
    const { id } = decisions[0]!;
    const { body } = await service.api.get(`/v1/decisions/${id}`).expect(200);
    expect(body.record).toEqual({
      decision: JSON.parse(JSON.stringify(decisions[0])) as object,
      occasion: { surface: 'proxy', operation: 'define' },
      host: 'node-1',
    });
    expect(body.events).toMatchObject([{ kind: 'rewritten', decisionId: id }]);
    expect(body.explanation).toMatch(/^instance-0000002a: restricted\n[^]*stays open/);
  });

  it('are looked for in vain where they are not', async () => {
    const { body } = await service.api.get('/v1/decisions/wd-none').expect(404);
    expect(body).toMatchObject({ title: 'Not Found', detail: 'there is no such decision', place: 'wd-none' });
  });

  it('have events, which are listed by kind, domain and host', async () => {
    const all = await service.api.get('/v1/events').expect(200);
    expect(all.body.items).toHaveLength(2);
    const some = await service.api.get('/v1/events?kind=stopped&domain=other&host=node-2').expect(200);
    expect(some.body.items).toMatchObject([{ kind: 'stopped', detail: 'shut down' }]);
    await service.api.get('/v1/events?kind=exploded').expect(400);
  });
});

describe('while the decision store is away', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startService();
    await service.store.close();
  });
  afterAll(() => service.close());

  it.each(['/v1/decisions', '/v1/decisions/wd-1', '/v1/events', '/v1/domains', '/v1/domains/vm'])(
    '%s says so',
    async (path) => {
      const { body } = await service.api.get(path).expect(503);
      expect(body).toMatchObject({ title: 'Service Unavailable', detail: 'the decision store is away' });
    },
  );

  it('devices are shown all the same, without who has them', async () => {
    const { body } = await service.api.get('/v1/devices/0000:81:00.0').expect(200);
    expect(body).toMatchObject({ bdf: '0000:81:00.0' });
    expect(body).not.toHaveProperty('heldBy');
  });

  it('domains are evaluated', () =>
    service.api.post('/v1/evaluate').send({ xml: '<domain><name>a</name></domain>' }).expect(200));
});
