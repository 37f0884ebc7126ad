import { rmSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { StoredEvent } from '../../src/store/records.js';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { clients, virsh } from './clients.js';
import { GuardedHost } from './guarded-host.js';
import { guestWith, NVME, RESTRICTED } from './guests.js';
import type { RunningService } from './running-service.js';

const RUNS = 200;
/** Hundreds of starts of QEMU. */
const LONG_MS = 300_000;

interface Run {
  started: boolean;
  restricted?: boolean;
  code?: number;
  message?: string;
}

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('a domain that is defined and created at once', () => {
  let host: GuardedHost;
  let service: RunningService;

  beforeAll(async () => {
    host = await GuardedHost.start();
  }, 60_000);
  afterEach(async () => {
    await service.stop();
    await host.clear();
    rmSync(service.stateDirectory, { recursive: true });
  }, 60_000);
  afterAll(async () => {
    await host?.stop();
  }, 60_000);

  const defineAndCreate = (uri: string) => clients<Run>('define-and-create', uri, `${RUNS}`, ...RESTRICTED);
  const domainsOf = async (kind: string) => {
    const events = await service.list<StoredEvent>(`/v1/events?kind=${kind}`);
    return new Set(events.map(({ domainName }) => domainName)).size;
  };

  it(
    `${RUNS} times through the proxy runs as policy demands`,
    async () => {
      service = await host.serve();
      const runs = await defineAndCreate(service.uri);
      expect(runs.filter(({ started, restricted }) => started && restricted)).toHaveLength(RUNS);
      expect(await domainsOf('rewritten')).toBe(RUNS);
      expect(await domainsOf('started-unprotected')).toBe(0);
    },
    LONG_MS,
  );

  it(
    `${RUNS} times around it is vetoed, and each client reads why`,
    async () => {
      service = await host.serve({ WARDEN_HOOK_FAILURE: 'closed', WARDEN_RECONCILE: 'false' });
      const runs = await defineAndCreate(host.libvirt.uri);
      expect(runs.filter(({ code }) => code === 70)).toHaveLength(RUNS);
      for (const { message } of runs) {
        expect(message).toMatch(
          /vfio-warden: decision wd-\w+ .*needs conventional-bus .*Send it through the proxy: .* define FILE\s*$/,
        );
      }
      expect(await domainsOf('vetoed')).toBe(RUNS);
    },
    LONG_MS,
  );

  it(
    `${RUNS} times around it runs and is recorded, where the hook fails open`,
    async () => {
      service = await host.serve({ WARDEN_HOOK_FAILURE: 'open', WARDEN_RECONCILE: 'false' });
      const runs = await defineAndCreate(host.libvirt.uri);
      expect(runs.filter(({ started, restricted }) => started && !restricted)).toHaveLength(RUNS);
      expect(await domainsOf('started-unprotected')).toBe(RUNS);
    },
    LONG_MS,
  );

  it('around it runs once its owner does what the veto says', async () => {
    service = await host.serve({ WARDEN_HOOK_FAILURE: 'closed', WARDEN_RECONCILE: 'false' });
    await host.libvirt.virsh('define', host.file('vm.xml', guestWith(NVME)));
    const { stderr } = await virsh(host.libvirt.uri, 'start', 'vm');
    const [, id] = /wardenctl explain (wd-\w+)/.exec(stderr)!;
    const [, uri] = /virsh -c '(\S+)' define FILE/.exec(stderr)!;
    await service.until('the veto is recorded', async () => (await domainsOf('vetoed')) === 1);
    const { code, stdout } = await service.ctl('explain', id!);
    expect([code, stdout]).toEqual([0, expect.stringContaining(NVME)]);

    const file = host.file('dumped.xml', await host.libvirt.virsh('dumpxml', '--inactive', 'vm'));
    expect(await virsh(uri!, 'define', file)).toMatchObject({ code: 0 });
    expect(await virsh(host.libvirt.uri, 'start', 'vm')).toMatchObject({ code: 0 });
  }, 60_000);
});
