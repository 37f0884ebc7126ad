import { copyFileSync, mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StoredEvent } from '../../src/store/records.js';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { virsh } from './clients.js';
import { REPOSITORY } from './compiled-service.js';
import { GuardedHost } from './guarded-host.js';
import { guestWith, isRestricted, NVME } from './guests.js';
import type { RunningService } from './running-service.js';

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('an operator', () => {
  let host: GuardedHost;
  let service: RunningService;

  beforeAll(async () => {
    host = await GuardedHost.start();
  }, 60_000);
  afterEach(async () => {
    await service.ctl('mode', 'enforce');
    await service.stop();
    await host.clear();
  }, 60_000);
  afterAll(async () => {
    await host?.stop();
  }, 60_000);

  /** Whether a domain that is new is restricted now. */
  async function restricts(name: string): Promise<boolean> {
    expect(await virsh(service.uri, 'define', host.file('vm.xml', guestWith(NVME, name)))).toMatchObject({
      code: 0,
    });
    return isRestricted(await host.libvirt.virsh('dumpxml', '--inactive', name));
  }

  const createAround = () => virsh(host.libvirt.uri, 'create', host.file('vm.xml', guestWith(NVME)));

  it('turns the service off and on for the next domain, and it is on record who did and why', async () => {
    service = await host.serve({ WARDEN_RECONCILE: 'false' });
    expect(await restricts('before')).toBe(true);
    const { code, stdout } = await service.ctl(
      'mode',
      'off',
      '--reason',
      'a driver that needs its registers',
    );
    expect([code, stdout]).toEqual([0, 'off (by file)\n']);
    expect(await restricts('while-off')).toBe(false);
    expect(await createAround()).toMatchObject({ code: 0 });
    expect(await service.ctl('mode', 'enforce')).toMatchObject({ code: 0 });
    expect(await restricts('after')).toBe(true);

    const changes = () => service.list<StoredEvent>('/v1/events?kind=mode-changed');
    await service.until('both changes are recorded', async () => (await changes()).length === 2);
    const [on, off] = await changes();
    expect(on).toMatchObject({ actor: 'unix', detail: 'off -> enforce' });
    expect(off).toMatchObject({
      actor: 'unix',
      detail: expect.stringMatching(/^enforce -> off.*a driver that needs its registers/) as string,
    });
  }, 60_000);

  it('turns the hook off with the service dead', async () => {
    service = await host.serve();
    await service.kill();
    expect((await createAround()).stderr).toContain('no decision about this domain with assigned devices');
    const { code, stdout } = await service.ctl('mode', 'off');
    expect([code, stdout]).toEqual([0, expect.stringMatching(/^off, written to /)]);
    expect(await createAround()).toMatchObject({ code: 0 });

    await service.begin();
    await service.ready();
    expect((await service.ctl('mode')).stdout).toBe('off (by file)\n');
  }, 60_000);

  it('reloads policies; a broken one changes nothing but is told', async () => {
    const policies = join(host.directory, 'policies');
    mkdirSync(policies);
    copyFileSync(
      join(REPOSITORY, 'policies/examples/closed-extended-space.yaml'),
      join(policies, 'policy.yaml'),
    );
    service = await host.serve({ WARDEN_POLICIES: policies, WARDEN_RECONCILE: 'false' });
    const revision = async () =>
      (await service.api<{ details: { basis: { policy: string } } }>('/healthz')).body.details.basis.policy;
    const first = await revision();

    host.file('policies/policy.yaml', 'spec: { rules: [');
    service.reload();
    await service.until('it says so', () => service.log.includes('not reloaded'));
    expect(service.log).toMatch(/policy\.yaml/);
    expect(await revision()).toBe(first);
    expect(await restricts('with-the-old-one')).toBe(true);

    copyFileSync(join(REPOSITORY, 'policies/baseline.yaml'), join(policies, 'policy.yaml'));
    service.reload();
    await service.until('it is reloaded', async () => (await revision()) !== first);
    await service.until('it says so', () => service.log.includes('"msg":"reloaded"'));
  }, 60_000);
});
