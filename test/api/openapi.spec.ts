import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { EXPLANATION_EXAMPLE, DECISION_RECORD_EXAMPLE } from '../../src/api/examples/decisions.js';
import { DOMAIN_EXAMPLE, DOMAIN_EXPLANATION_EXAMPLE } from '../../src/api/examples/domains.js';
import { EVENT_EXAMPLE } from '../../src/api/examples/events.js';
import { explainDomain } from '../../src/api/domain-explanation.js';
import { schemaProblems, type Schema } from './schema.js';
import { startService, type TestService } from './service.js';

interface Media {
  schema: Schema;
  example?: unknown;
}
interface Operation {
  operationId: string;
  summary?: string;
  tags?: string[];
  parameters?: { name: string; in: string; schema: Schema; description?: string }[];
  responses: Record<string, { description: string; content?: Record<string, Media> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

describe('the description of the API', () => {
  let service: TestService;
  let document: Document;
  let operations: { path: string; method: string; operation: Operation }[];

  beforeAll(async () => {
    service = await startService();
    document = (await service.api.get('/openapi-json').expect(200)).body as Document;
    operations = Object.entries(document.paths).flatMap(([path, methods]) =>
      Object.entries(methods).map(([method, operation]) => ({ path, method, operation })),
    );
  });
  afterAll(() => service.close());

  it('has every route', () => {
    expect(operations.map(({ path, method }) => `${method.toUpperCase()} ${path}`).toSorted()).toEqual([
      'DELETE /v1/policies/pin',
      'GET /healthz',
      'GET /metrics',
      'GET /readyz',
      'GET /v1/decisions',
      'GET /v1/decisions/{id}',
      'GET /v1/devices',
      'GET /v1/devices/{bdf}',
      'GET /v1/devices/{bdf}/config-space',
      'GET /v1/domains',
      'GET /v1/domains/{key}',
      'GET /v1/domains/{key}/explanation',
      'GET /v1/events',
      'GET /v1/host',
      'GET /v1/policies',
      'GET /v1/policies/exemptions',
      'GET /v1/policies/status',
      'GET /v1/risks',
      'POST /v1/evaluate',
      'POST /v1/policies/approve',
      'POST /v1/policies/sync',
      'PUT /v1/host/mode',
      'PUT /v1/policies/pin',
    ]);
  });

  it('is sound: ids are unique, references lead somewhere, paths declare their parameters', () => {
    expect(document.openapi).toMatch(/^3\./);
    const ids = operations.map(({ operation }) => operation.operationId);
    expect(new Set(ids).size).toBe(ids.length);
    for (const [, reference] of JSON.stringify(document).matchAll(
      /"\$ref":"#\/components\/schemas\/([^"]+)"/g,
    )) {
      expect(Object.keys(document.components.schemas)).toContain(reference);
    }
    for (const { path, operation } of operations) {
      expect(operation.summary).toBeTruthy();
      const declared = (operation.parameters ?? []).filter((parameter) => parameter.in === 'path');
      expect(declared.map(({ name }) => `{${name}}`)).toEqual(path.match(/\{\w+\}/g) ?? []);
    }
  });

  it('has an example for every answer, and each is what its schema says', () => {
    for (const { path, operation } of operations) {
      for (const [status, { content }] of Object.entries(operation.responses)) {
        for (const [type, { schema, example }] of Object.entries(content ?? { none: { schema: {} } })) {
          const place = `${path} ${status} ${type}`;
          expect(example, place).toBeDefined();
          expect(schemaProblems(example, schema, document.components.schemas), place).toEqual([]);
        }
      }
    }
  });

  it('says the truth: what the service answers is what the schema says', async () => {
    await service.store.write([
      { type: 'decision', record: DECISION_RECORD_EXAMPLE },
      { type: 'event', record: EVENT_EXAMPLE },
      { type: 'domain', record: DOMAIN_EXAMPLE },
    ]);
    const values: Record<string, string> = {
      '{id}': DECISION_RECORD_EXAMPLE.decision.id,
      '{key}': 'web-1',
      '{bdf}': '0000:81:00.0',
    };
    for (const { path, method, operation } of operations.filter((each) => each.method === 'get')) {
      const real = path.replace(/\{\w+\}/, (name) => values[name]!);
      const json = operation.responses['200']!.content!['application/json'];
      if (!json) continue;
      const { body } = await service.api.get(real).expect(200);
      expect(schemaProblems(body, json.schema, document.components.schemas), `${method} ${real}`).toEqual([]);
    }
  });

  it('explains as the service does', () => {
    const said = explainDomain(
      { domain: DOMAIN_EXAMPLE, record: DECISION_RECORD_EXAMPLE, events: [EVENT_EXAMPLE] },
      () => undefined,
    );
    expect(said.startsWith(`${EXPLANATION_EXAMPLE}\n`)).toBe(true);
    expect(said.endsWith(DOMAIN_EXPLANATION_EXAMPLE.explanation.split('...\n')[1]!)).toBe(true);
  });

  it('is there for people, too', () =>
    service.api
      .get('/openapi')
      .expect(200)
      .expect('content-type', /text\/html/));
});
