import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { NODE_INVENTORY, risksOf } from '../fixtures/scenario.js';
import { known, UUID } from './records.js';
import { startService, type TestService } from './service.js';

describe('what the service knows', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startService();
    await service.store.write([known(), known({ host: 'node-2', name: 'far' })]);
  });
  afterAll(() => service.close());

  it('of devices: all functions of the host, their risks, and the domains of this node that have them', async () => {
    const { body } = await service.api.get('/v1/devices').expect(200);
    expect(body.revision).toBe(NODE_INVENTORY.revision);
    const items = body.items as { bdf: string; heldBy: unknown[] }[];
    expect(items.map(({ bdf }) => bdf)).toEqual(NODE_INVENTORY.functions.map(({ bdf }) => bdf));
    expect(items.find(({ bdf }) => bdf === '0000:81:00.0')).toMatchObject({
      name: expect.stringMatching(/Samsung.*NVMe/) as string,
      className: 'NVM Express',
      configSpaceBytes: 4096,
      risks: expect.arrayContaining([
        expect.objectContaining({ exposure: 'unassigned-extended', effect: 'host-crash' }),
      ]) as object[],
      heldBy: [{ uuid: UUID, name: 'instance-0000002a', active: true }],
    });
    expect(items.filter(({ heldBy }) => heldBy.length > 0)).toHaveLength(1);
    expect(items.every((item) => !('configSpace' in item))).toBe(true);
  });

  it('of one device: all that the risk database says', async () => {
    const { body } = await service.api.get('/v1/devices/81:00.0').expect(200);
    expect(body).toMatchObject({ bdf: '0000:81:00.0', heldBy: [{ uuid: UUID }] });
    expect(body.assessment.risks[0].risk.evidence[0]).toHaveProperty('reference');
  });

  it('of config space: its layout, as JSON and as a picture', async () => {
    const path = '/v1/devices/0000:81:00.0/config-space';
    const { body } = await service.api.get(path).expect(200);
    expect(body).toMatchObject({ target: '0000:81:00.0', size: 4096, complete: true });
    expect(body.regions.length).toBeGreaterThan(5);
    const picture = await service.api
      .get(path)
      .set('accept', 'image/svg+xml')
      .expect(200)
      .expect('content-type', /^image\/svg\+xml/);
    expect((picture.body as Buffer).toString()).toMatch(/^<svg [^]*<\/svg>\n$/);
  });

  it.each([
    ['/v1/devices/gpu', 400, /no address/],
    ['/v1/devices/0000:ff:00.0', 404, /no such function/],
    ['/v1/devices/0000:ff:00.0/config-space', 404, /no such function/],
    ['/v1/devices/%ff', 400, /./],
    ['/v1/risks?id=nvidia', 400, /no PCI ids/],
    ['/v1/devices?vendor=10de', 400, /property vendor should not exist/],
    ['/v1/policies?x', 400, /property x should not exist/],
    ['/v1/risks?cursor=x', 400, /no cursor of the list of risks/],
    ['/v1/risks?limit=100000', 400, /limit/],
    ['/v1/nothing', 404, /Cannot GET/],
  ])('is refused at %s', async (path, status, detail) => {
    const { body } = await service.api
      .get(path)
      .expect(status)
      .expect('content-type', 'application/problem+json');
    expect(body).toMatchObject({ status, detail: expect.stringMatching(detail) as string });
  });

  it('of risks: all entries, or what holds for ids', async () => {
    const { risks } = service.parts.decisions.basis;
    const all = await service.api.get('/v1/risks').expect(200);
    expect(all.body.revision).toBe(risks.revision);
    expect(all.body.entries).toHaveLength(risks.entries.length);
    const some = await service.api.get('/v1/risks?id=10de:2330').expect(200);
    expect(some.body.entries.length).toBeLessThan(risks.entries.length);
    expect(some.body.assessment).toEqual(
      JSON.parse(JSON.stringify(risks.assess({ vendor: '10de', device: '2330' }))),
    );
  });

  it('of risks comes by pages, each entry once, as long as the revision is the same', async () => {
    const { risks } = service.parts.decisions.basis;
    const ids: string[] = [];
    let path: string | undefined = '/v1/risks?limit=20';
    while (path !== undefined) {
      const answer = await service.api.get(path).expect(200);
      const { entries, next } = answer.body as { entries: { id: string }[]; next?: string };
      expect(entries.length).toBeLessThanOrEqual(20);
      ids.push(...entries.map(({ id }) => id));
      path = next === undefined ? undefined : `/v1/risks?limit=20&cursor=${next}`;
    }
    expect(ids).toEqual(risks.entries.map(({ id }) => id));
    const first = await service.api.get('/v1/risks?limit=1').expect(200);
    service.parts.decisions.replace({ risks: risksOf() });
    const { body } = await service.api.get(`/v1/risks?limit=1&cursor=${first.body.next}`).expect(400);
    service.parts.decisions.replace({ risks });
    expect(body.detail).toMatch(/another revision of the risks/);
  });

  it('of policies: the rules in order, and where they are', async () => {
    const { body } = await service.api.get('/v1/policies').expect(200);
    expect(body.revision).toBe(service.parts.decisions.basis.policy.revision);
    expect(body.rules).toMatchObject([
      { policy: 'test', file: 'test.yaml', rule: { name: 'close', mode: 'enforce' } },
    ]);
  });
});
