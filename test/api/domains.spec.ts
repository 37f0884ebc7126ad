import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { decided, decisionAt, happened, known, UUID } from './records.js';
import { startService, type TestService } from './service.js';

const OTHER = '11111111-2222-4333-8444-555555555555';

describe('domains', () => {
  const decision = decisionAt(0);
  let service: TestService;

  beforeAll(async () => {
    service = await startService();
    await service.store.write([
      decided(decision),
      known({
        decisionId: decision.id,
        verdict: 'restricted',
        stale: 'stop and start it: 0000:81:00.0 gets a conventional bus',
      }),
      known({ uuid: OTHER, name: 'plain', owner: {}, active: false, unprotected: true, devices: [] }),
      known({ uuid: UUID, name: 'far', host: 'node-2' }),
      happened({ kind: 'rewritten', domainUuid: UUID, decisionId: decision.id, detail: 'define: 2 edits' }),
      happened({
        kind: 'started',
        domainUuid: UUID,
        at: '2026-11-23T12:31:00.000Z',
        actor: 'token:nova',
        detail: 'has what it needs \u001b[2J',
      }),
    ]);
  });
  afterAll(() => service.close());

  it.each([
    ['host=node-1', ['instance-0000002a', 'plain']],
    ['host=node-1&active=true', ['instance-0000002a']],
    ['unprotected=true', ['plain']],
    ['stale=true', ['instance-0000002a']],
    ['host=node-1&stale=false', ['plain']],
    ['host=node-1&device=81:00.0', ['instance-0000002a']],
    ['host=node-1&text=web-1', ['instance-0000002a']],
    ['host=node-1&text=shop', ['instance-0000002a']],
    ['host=node-1&text=nvme.large', ['instance-0000002a']],
  ])('are found by %s', async (query, names) => {
    const { body } = await service.api.get(`/v1/domains?${query}`).expect(200);
    expect((body.items as { name: string }[]).map(({ name }) => name)).toEqual(names);
  });

  it.each(['active=maybe', 'page=2'])('are not listed for ?%s', async (query) => {
    await service.api.get(`/v1/domains?${query}`).expect(400);
  });

  it.each([UUID, 'instance-0000002a', 'web-1'])('are found as %s', async (key) => {
    const { body } = await service.api.get(`/v1/domains/${key}`).expect(200);
    expect(body).toMatchObject({ uuid: UUID, host: 'node-1', owner: { flavor: 'nvme.large' } });
  });

  it('of other nodes are found where one says which', async () => {
    await service.api.get('/v1/domains/far').expect(404);
    const { body } = await service.api.get('/v1/domains/far?host=node-2').expect(200);
    expect(body.name).toBe('far');
  });

  it('are explained to a terminal', async () => {
    const { text } = await service.api
      .get('/v1/domains/web-1/explanation')
      .set('accept', 'text/plain')
      .expect(200)
      .expect('content-type', /^text\/plain; charset=utf-8/)
      .expect('vary', /Accept/);
    expect(text).toMatch(/^instance-0000002a: restricted\n/);
    expect(text).toContain(`decision ${decision.id}`);
    expect(text).toMatch(
      /Now: runs on node-1\nOwner: instance web-1, project shop \(6b1f8c2e\), user alice, flavor nvme\.large\n/,
    );
    expect(text).toMatch(
      /What happened since:\n {2}\S+ rewritten: define: 2 edits\n {2}\S+ started by token:nova: has what it needs/,
    );
    expect(text).not.toContain('\u001b');
  });

  it('are explained to a program', async () => {
    const { body } = await service.api.get('/v1/domains/web-1/explanation').expect(200);
    expect(body).toMatchObject({
      domain: { uuid: UUID },
      record: { decision: { id: decision.id } },
      events: [{ kind: 'started' }, { kind: 'rewritten' }],
      explanation: expect.stringContaining('Owner: instance web-1') as string,
    });
  });

  it('of which nothing was decided say so', async () => {
    const { text } = await service.api
      .get('/v1/domains/plain/explanation')
      .set('accept', 'text/plain')
      .expect(200);
    expect(text).toBe(
      'plain: nothing has been decided about it yet\n\n' +
        'Now: does not run; defined on node-1, would start WITHOUT what policy asks for\n',
    );
  });

  it('are not explained in a form that there is none of, nor where they are not', async () => {
    await service.api.get('/v1/domains/web-1/explanation').set('accept', 'text/html').expect(406);
    const { body } = await service.api
      .get('/v1/domains/none/explanation')
      .set('accept', 'text/plain')
      .expect(404);
    expect(body).toMatchObject({ detail: 'there is no such domain on node-1', place: 'none' });
  });
});
