import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DecisionSummary, StoredEvent } from '../../src/store/records.js';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { virsh } from './clients.js';
import { GuardedHost } from './guarded-host.js';
import { guest } from './guests.js';
import type { RunningService } from './running-service.js';

const CHOSEN = '0000:3b:02.1';
const NETWORK = `<network><name>functions</name><forward mode='hostdev' managed='yes'>
  <address type='pci' domain='0' bus='0x3b' slot='2' function='1'/></forward></network>`;
const FROM_NETWORK = "<interface type='network'><source network='functions'/></interface>";

/** Virtual functions of NICs are not to be had, or at least not without a word. */
function policy(uncovered: 'deny' | 'warn'): string {
  return `apiVersion: vfio-warden.dev/v1
kind: Policy
metadata: { name: network-functions }
spec:
  rules:
    - name: virtual-functions
      match: { devices: [{ class: '0200', function: vf }] }
      mode: enforce
      require: [unassigned-extended]
      mitigations: []
      topologyChange: never
      uncovered: ${uncovered}
`;
}

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('a device that libvirt chooses from a network', () => {
  let host: GuardedHost;
  let service: RunningService;

  beforeAll(async () => {
    host = await GuardedHost.start();
    await host.libvirt.virsh('net-create', host.file('network.xml', NETWORK));
    mkdirSync(join(host.directory, 'policies'));
  }, 60_000);
  afterEach(async () => {
    await service.stop();
    await host.clear();
  }, 60_000);
  afterAll(async () => {
    await host?.stop();
  }, 60_000);

  async function start(name: string, uncovered: 'deny' | 'warn') {
    host.file('policies/policy.yaml', policy(uncovered));
    service = await host.serve({ WARDEN_POLICIES: join(host.directory, 'policies') });
    // At its start the service decides as it did last, until it has weighed what a changed directory would do.
    expect(await service.ctl('policy', 'sync')).toMatchObject({ code: 0 });
    const file = host.file('vm.xml', guest(name, FROM_NETWORK));
    expect(await virsh(service.uri, 'define', file)).toMatchObject({ code: 0 });
    return virsh(service.uri, 'start', name);
  }

  const decisionAtStart = async (name: string) =>
    (await service.list<DecisionSummary>(`/v1/decisions?domain=${name}`)).find(
      ({ surface, operation }) => surface === 'hook' && operation === 'start',
    );

  it('is judged when it has been chosen, and stops the start where policy refuses it', async () => {
    const { code, stderr } = await start('refused', 'deny');
    expect(code).toBe(1);
    expect(stderr).toMatch(
      /start begin .*vfio-warden: decision .*policy refuses this domain: 0000:3b:02\.1/s,
    );
    expect(await decisionAtStart('refused')).toMatchObject({ verdict: 'denied', devices: [CHOSEN] });
    const [vetoed] = await service.list<StoredEvent>('/v1/events?kind=vetoed&domain=refused');
    expect(vetoed?.detail).toContain(CHOSEN);
  });

  it('is on record by its address where policy lets it run', async () => {
    expect(await start('let', 'warn')).toMatchObject({ code: 0 });
    expect(await decisionAtStart('let')).toMatchObject({ devices: [CHOSEN] });
    const unprotected = () => service.list<StoredEvent>('/v1/events?kind=started-unprotected&domain=let');
    await service.until('it is recorded', async () => (await unprotected()).length > 0);
    expect((await unprotected())[0]?.detail).toContain(CHOSEN);
    expect((await service.ctl('explain', 'let')).stdout).toContain(CHOSEN);
  });
});
