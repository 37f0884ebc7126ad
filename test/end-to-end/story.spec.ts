import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { HostAnswer } from '../../src/api/host.dto.js';
import type { DecisionSummary, DomainRecord, StoredEvent } from '../../src/store/records.js';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { virsh } from './clients.js';
import { GuardedHost } from './guarded-host.js';
import { guest, guestWith, isRestricted, NVME } from './guests.js';
import type { RunningService } from './running-service.js';

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('a domain that virsh defines and starts through the proxy', () => {
  let host: GuardedHost;
  let service: RunningService;

  beforeAll(async () => {
    host = await GuardedHost.start();
    service = await host.serve();
    const file = host.file('vm.xml', guestWith(NVME));
    expect(await virsh(service.uri, 'define', file)).toMatchObject({ code: 0 });
    expect(await virsh(service.uri, 'start', 'vm')).toMatchObject({ code: 0 });
    await service.until('the start is recorded', async () => (await events('started')).length > 0);
  }, 90_000);

  afterAll(async () => {
    await service?.stop();
    await host?.stop();
  }, 60_000);

  const events = (kind: string) => service.list<StoredEvent>(`/v1/events?kind=${kind}`);

  it('runs with its device on a conventional bus', async () => {
    const { stdout } = await virsh(service.uri, 'dumpxml', 'vm');
    expect(isRestricted(stdout)).toBe(true);
    expect((await virsh(service.uri, 'domstate', 'vm')).stdout).toContain('running');
  });

  it('is explained by wardenctl', async () => {
    const { code, stdout } = await service.ctl('explain', 'vm');
    expect(code).toBe(0);
    expect(stdout).toContain(NVME);
    expect(stdout).toMatch(/conventional-bus/);
    expect(stdout).toMatch(/bar-mmio: no mechanism closes it/);
  });

  it('has its decisions on record: one that rewrote it, and the hook that found nothing to change', async () => {
    const decisions = await service.list<DecisionSummary>('/v1/decisions?domain=vm');
    const asked = decisions.map(({ surface, operation }) => `${surface} ${operation}`);
    expect(asked).toEqual(expect.arrayContaining(['proxy define', 'hook prepare']));
    const define = decisions.find(({ surface }) => surface === 'proxy')!;
    expect(define).toMatchObject({ host: 'node-1', verdict: 'restricted', devices: [NVME] });
    const { body } = await service.api<{ explanation: string; events: StoredEvent[] }>(
      `/v1/decisions/${define.id}`,
    );
    expect(body.events.map(({ kind }) => kind).toSorted()).toEqual(['accepted', 'rewritten', 'started']);
    expect((await service.ctl('decisions', '--domain', 'vm')).stdout).toContain(define.id);
  });

  it('has what happened to it on record', async () => {
    const { code, stdout } = await service.ctl('events', '--domain', 'vm');
    expect(code).toBe(0);
    for (const kind of ['rewritten', 'accepted', 'started']) expect(stdout).toContain(kind);
    expect(stdout).not.toMatch(/started-unprotected|bypassed|vetoed|failed/);
  });

  it('is on the list of domains', async () => {
    const { body } = await service.api<{ items: DomainRecord[] }>('/v1/domains');
    expect(body.items).toEqual([
      expect.objectContaining({
        name: 'vm',
        active: true,
        persistent: true,
        state: 'has-run',
        verdict: 'restricted',
        unprotected: false,
        ranRestricted: [NVME],
        devices: [NVME],
      }),
    ]);
    expect((await service.ctl('domains')).stdout).toMatch(/vm .*restricted/);
  });

  it('counts in the metrics', async () => {
    const { status, body } = await service.api<string>('/metrics');
    expect(status).toBe(200);
    expect(body).toMatch(/^vfio_warden_decisions_total\{surface="proxy",verdict="restricted"\} 1$/m);
    expect(body).toMatch(/^vfio_warden_proxy_calls_total\{outcome="rewritten"\} 1$/m);
    expect(body).toMatch(/^vfio_warden_hook_calls_total\{operation="start",outcome="proceed"\} 1$/m);
    expect(body).toMatch(/^vfio_warden_libvirt_connected 1$/m);
    expect(body).toMatch(/^vfio_warden_unprotected_running_domains 0$/m);
  });

  it('leaves a service that is ready, and says what of', async () => {
    const { status, body } = await service.api<{ details: object }>('/readyz');
    expect(status).toBe(200);
    expect(Object.keys(body.details)).toEqual(
      expect.arrayContaining(['libvirt', 'proxy', 'store', 'switch']),
    );
    const { stdout } = await service.ctl('host', '--json');
    expect((JSON.parse(stdout) as HostAnswer).mode).toMatchObject({
      mode: 'enforce',
      source: 'configuration',
    });
  });

  it('is served by an API that describes itself', async () => {
    const { status, body } = await service.api<{ paths: object }>('/openapi-json');
    expect(status).toBe(200);
    expect(Object.keys(body.paths)).toEqual(
      expect.arrayContaining(['/v1/decisions', '/v1/domains', '/v1/events']),
    );
  });

  it('is not the only one that can: a domain without assigned devices passes as it is, unrecorded', async () => {
    const file = host.file('plain.xml', guest('plain', ''));
    expect(await virsh(service.uri, 'create', file)).toMatchObject({ code: 0 });
    expect((await service.ctl('events', '--domain', 'plain')).stdout).toBe('no events\n');
  });
});
