import 'reflect-metadata';
import type { NestExpressApplication } from '@nestjs/platform-express';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { createApp } from '../../src/create-app.js';
import { undoEdits } from '../../src/domain-xml/undo.js';
import { readPciIds } from '../../src/pci/pci-ids-file.js';
import { readRiskDirectory } from '../../src/risk/risk-loader.js';
import { STOCK_HOST } from '../fixtures/hosts.js';
import { domain, hostdev, NODE_INVENTORY, policyOf } from '../fixtures/scenario.js';

const RULE =
  '{ name: close, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: before-first-run }';

describe('the REST service', () => {
  let app: NestExpressApplication;

  beforeAll(async () => {
    const basis = {
      inventory: NODE_INVENTORY,
      host: STOCK_HOST,
      policy: policyOf(RULE),
      risks: await readRiskDirectory('policies/risks'),
      hostMode: 'enforce' as const,
    };
    app = await createApp(basis, await readPciIds());
    await app.init();
  });
  afterAll(() => app.close());

  const evaluate = (body: object) => request(app.getHttpServer()).post('/v1/evaluate').send(body);

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

  it('says that it is there, and what it decides by', async () => {
    const { body } = await request(app.getHttpServer()).get('/healthz').expect(200);
    expect(body).toMatchObject({ status: 'ok', details: { basis: { hostMode: 'enforce' } } });
  });

  it('describes itself', async () => {
    const { body } = await request(app.getHttpServer()).get('/openapi-json').expect(200);
    expect(Object.keys(body.paths as object)).toEqual(['/v1/evaluate', '/healthz']);
  });
});
