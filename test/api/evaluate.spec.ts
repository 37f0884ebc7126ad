import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { undoEdits } from '../../src/domain-xml/undo.js';
import { domain, hostdev } from '../fixtures/scenario.js';
import { startService, type TestService } from './service.js';

describe('evaluating a domain', () => {
  let service: TestService;

  beforeAll(async () => {
    service = await startService();
  });
  afterAll(() => service.close());

  const evaluate = (body: object) => service.api.post('/v1/evaluate').send(body);

  it('answers with the decision, the document to use, and the reasons', async () => {
    const xml = domain(hostdev('0000:81:00.0'));
    const { body } = await evaluate({ xml, domainState: 'new' }).expect(200);
    expect(body.decision).toMatchObject({
      verdict: 'restricted',
      id: expect.stringMatching(/^wd-/) as string,
    });
    expect(undoEdits(body.xml as string)).toBe(xml);
    expect(body.explanation).toMatch(/0000:81:00\.0 .*restricted[^]*stays open/);
  });

  it('takes a domain of which it is not told whether it has run for one that has', async () => {
    const xml = domain(hostdev('0000:81:00.0'));
    const { body } = await evaluate({ xml }).expect(200);
    expect(body.xml).toBe(xml);
    expect(body.decision.inputs.domainState).toBe('unknown');
  });

  it.each([
    ['XML that is not well-formed', { xml: '<domain><name></domain>' }, /close tag/, /^line 1, column/],
    ['another document', { xml: '<network/>' }, /not <domain>/, /^line 1/],
    ['an entity bomb', { xml: '<!DOCTYPE d [<!ENTITY a "aa">]><domain/>' }, /document type/, /^line 1/],
  ])('refuses %s as problem details that name the place and the remedy', async (_, body, detail, place) => {
    const response = await evaluate(body)
      .expect(400)
      .expect('content-type', /application\/problem\+json/);
    expect(response.body).toMatchObject({
      status: 400,
      detail: expect.stringMatching(detail) as string,
      place: expect.stringMatching(place) as string,
      remedy: expect.any(String) as string,
    });
  });

  it.each([
    [{}, /xml must be a string/],
    [{ xml: '<domain/>', domainState: 'maybe' }, /domainState must be one of/],
    [{ xml: '<domain/>', mode: 'off' }, /property mode should not exist/],
  ])('refuses the request %j', async (body, detail) => {
    const response = await evaluate(body).expect(400);
    expect(response.body.detail).toMatch(detail);
  });

  it('refuses a document of more than 4 MiB, and a request that could not hold one', async () => {
    const large = `<domain>${' '.repeat(4 * 1024 * 1024)}</domain>`;
    expect((await evaluate({ xml: large })).status).toBe(400);
    expect((await evaluate({ xml: large.repeat(3) })).status).toBe(413);
  });

  it('counts the decision, and records nothing', async () => {
    await evaluate({ xml: domain('') }).expect(200);
    const { text } = await service.api.get('/metrics').expect(200);
    expect(text).toMatch(/vfio_warden_decisions_total\{surface="rest",verdict="unrestricted"\} \d/);
    expect((await service.api.get('/v1/decisions').expect(200)).body.items).toEqual([]);
  });
});
