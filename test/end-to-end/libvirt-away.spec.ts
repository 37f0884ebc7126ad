import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DomainRecord } from '../../src/store/records.js';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { LoopingClients, virsh } from './clients.js';
import { GuardedHost } from './guarded-host.js';
import { guestWith, isRestricted, NVME } from './guests.js';
import type { RunningService } from './running-service.js';

const GUEST = '5d0f1c52-3a3f-4b0e-9a55-2f6f0f9b7c23';

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('libvirt that is away', () => {
  let host: GuardedHost;
  let service: RunningService;

  beforeAll(async () => {
    host = await GuardedHost.start();
  }, 60_000);
  afterEach(async () => {
    await service.stop();
    await host.clear();
  }, 60_000);
  afterAll(async () => {
    await host?.stop();
  }, 60_000);

  interface Problem {
    detail: string;
    components: Record<string, { status: string }>;
  }
  const readiness = () => service.api<Problem>('/readyz');

  async function defineAndDump(): Promise<string> {
    const file = host.file('vm.xml', guestWith(NVME, 'vm', GUEST));
    expect(await virsh(service.uri, 'define', file)).toMatchObject({ code: 0 });
    return (await virsh(service.uri, 'dumpxml', 'vm')).stdout;
  }

  it('when the service starts keeps it from being ready, and from nothing else', async () => {
    await host.libvirt.stopLibvirtd();
    service = await host.launch();
    const { status, body } = await readiness();
    expect(status).toBe(503);
    expect(body.detail).toMatch(/^libvirt is down: not connected/);
    expect(body.components).toMatchObject({ libvirt: { status: 'down' }, proxy: { status: 'up' } });
    expect((await service.ctl('mode')).stdout).toBe('enforce (by configuration)\n');
    expect(await virsh(service.uri, 'list')).toMatchObject({ code: 1 });

    await host.libvirt.startLibvirtd();
    await service.ready();
    expect(isRestricted(await defineAndDump())).toBe(true);
  }, 90_000);

  it('for a restart is told to every client; what runs goes on, and is known', async () => {
    service = await host.serve();
    await defineAndDump();
    await virsh(service.uri, 'start', 'vm');
    const clients = LoopingClients.start(service.uri, 5);
    await clients.haveDefined(10);

    await host.libvirt.stopLibvirtd();
    const { ended } = await clients.seen();
    expect(ended.map(({ alive }) => alive)).toEqual(Array(5).fill(0));
    await service.until('it says so', async () => (await readiness()).status === 503);
    expect((await readiness()).body.detail).toMatch(/^libvirt is down/);

    await host.libvirt.startLibvirtd();
    await service.until('it is ready again', async () => (await readiness()).status === 200);
    expect((await virsh(service.uri, 'domstate', 'vm')).stdout).toContain('running');
    const [domain] = await service.list<DomainRecord>('/v1/domains?active=true');
    expect(domain).toMatchObject({ name: 'vm', state: 'has-run', ranRestricted: [NVME], unprotected: false });
    expect(isRestricted(await defineAndDump())).toBe(true);
  }, 90_000);
});
