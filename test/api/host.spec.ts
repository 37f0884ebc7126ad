import { rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import type { Component, ComponentStatus } from '../../src/api/components.js';
import { domain, hostdev } from '../fixtures/scenario.js';
import { startService, type TestService } from './service.js';

describe('the host', () => {
  const states: Record<string, ComponentStatus> = {};
  const component = (name: string, critical: boolean): Component => {
    states[name] = { state: 'up', detail: 'well' };
    return { name, critical, status: () => states[name]! };
  };
  const components = [component('libvirt', true), component('store', false)];
  let service: TestService;

  beforeAll(async () => {
    service = await startService({ components });
  });
  afterAll(() => service.close());

  const verdict = async () => {
    const xml = domain(hostdev('0000:81:00.0'));
    const { body } = await service.api.post('/v1/evaluate').send({ xml, domainState: 'new' }).expect(200);
    return body.decision.verdict as string;
  };

  it('tells what it can enforce, and what runs', async () => {
    const { body } = await service.api.get('/v1/host').expect(200);
    expect(body).toMatchObject({
      name: 'node-1',
      mode: { mode: 'enforce', source: 'configuration' },
      capabilities: { kernelGuard: { state: 'absent' } },
      components: [
        { name: 'libvirt', critical: true, state: 'up', detail: 'well' },
        { name: 'store', critical: false, state: 'up' },
      ],
      versions: { service: '0.1.0', node: process.version, qemu: expect.stringMatching(/7\.2/) as string },
      revisions: { policy: service.parts.decisions.basis.policy.revision },
    });
  });

  it('is switched by the API: the next decision follows, and an event says who and why', async () => {
    expect(await verdict()).toBe('restricted');
    const { body } = await service.api
      .put('/v1/host/mode')
      .send({ mode: 'observe', reason: 'ticket 4711' })
      .expect(200);
    expect(body).toEqual({ mode: 'observe', source: 'file' });
    expect(await verdict()).toBe('observed');
    await service.journal.flush(1000);
    const { body: events } = await service.api.get('/v1/events').expect(200);
    expect(events.items).toMatchObject([
      { kind: 'mode-changed', actor: 'unix', host: 'node-1', detail: 'enforce -> observe: ticket 4711' },
    ]);
  });

  it('is switched by the file just as well, and tells when that is broken', async () => {
    const file = join(service.directory, 'mode');
    await writeFile(file, 'off\n');
    await vi.waitFor(async () => expect(await verdict()).toBe('unrestricted'), 1500);
    await writeFile(file, 'of');
    await vi.waitFor(async () => {
      const { body } = await service.api.get('/v1/host');
      expect(body.mode).toMatchObject({
        mode: 'off',
        problem: expect.stringMatching(/"of" is no mode/) as string,
      });
    }, 1500);
    await rm(file);
    await vi.waitFor(async () => expect(await verdict()).toBe('restricted'), 1500);
  });

  it.each([
    [{}, /mode must be one of/],
    [{ mode: 'paused' }, /mode must be one of/],
    [{ mode: 'off', reason: 'a'.repeat(501) }, /reason must be shorter/],
    [{ mode: 'off', until: 'tomorrow' }, /property until should not exist/],
  ])('is not switched by %j', async (body, detail) => {
    const { body: problem } = await service.api.put('/v1/host/mode').send(body).expect(400);
    expect(problem.detail).toMatch(detail);
    expect(service.parts.hostSwitch.mode).toBe('enforce');
  });

  it('is alive, and says what it decides by', async () => {
    const { body } = await service.api.get('/healthz').expect(200);
    expect(body).toMatchObject({ status: 'ok', details: { basis: { hostMode: 'enforce' } } });
  });

  it('is ready while all that VMs depend on is there', async () => {
    expect((await service.api.get('/readyz').expect(200)).body).toMatchObject({
      status: 'ok',
      details: { libvirt: { status: 'up' }, store: { status: 'up' } },
    });

    states.store = { state: 'down', detail: 'disk full' };
    expect((await service.api.get('/readyz').expect(200)).body).toMatchObject({
      status: 'degraded',
      details: { store: { status: 'degraded', detail: 'disk full' } },
    });

    states.libvirt = { state: 'down', detail: 'connection refused' };
    const { body } = await service.api
      .get('/readyz')
      .expect(503)
      .expect('content-type', 'application/problem+json');
    expect(body).toMatchObject({
      status: 503,
      detail: 'libvirt is down: connection refused',
      components: { libvirt: { status: 'down', critical: true }, store: { status: 'degraded' } },
    });
  });
});
