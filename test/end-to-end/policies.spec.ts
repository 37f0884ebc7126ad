import { randomBytes } from 'node:crypto';
import { mkdirSync, rmSync, statfsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PolicyStatusAnswer, SyncAnswer } from '../../src/api/policy-control.dto.js';
import type { RefusalReason } from '../../src/policy/sources/source-refusal.js';
import type { DecisionRecord, DecisionSummary, DomainRecord } from '../../src/store/records.js';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { GitRemote, policyText } from '../policy/git-remote.js';
import { httpsServer } from '../policy/git-server-https.js';
import { portOf, Relay } from '../policy/relay.js';
import { servedRemote } from '../policy/served-remote.js';
import { virsh } from './clients.js';
import { GuardedHost } from './guarded-host.js';
import { guestWith, isRestricted, NVME } from './guests.js';
import type { RunningService } from './running-service.js';
import { ShiftedClock, shiftedClockMissing } from './shifted-clock.js';

const DAY_MS = 24 * 3600 * 1000;
const DISK = '32m';
/** More than what goes before a pack, and far less than one of these. */
const MIDDLE = 300_000;
const PACK_BYTES = 600_000;

const missing = fixtureHostMissing() ?? shiftedClockMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('policies from Git', () => {
  let host: GuardedHost;
  let service: RunningService;

  beforeAll(async () => {
    host = await GuardedHost.start();
  }, 60_000);
  afterEach(async () => {
    await service?.stop();
    await host.clear();
    rmSync(join(host.directory, 'state'), { recursive: true, force: true });
  }, 60_000);
  afterAll(async () => {
    await host?.stop();
  }, 60_000);

  const metric = async (name: string) => {
    const { body } = await service.api<string>('/metrics');
    const start = `vfio_warden_${name} `;
    return body
      .split('\n')
      .find((line) => line.startsWith(start))
      ?.slice(start.length);
  };
  const dump = async (name: string) => (await virsh(service.uri, 'dumpxml', name)).stdout;
  async function define(name: string): Promise<void> {
    const file = host.file('vm.xml', guestWith(NVME, name));
    expect(await virsh(service.uri, 'define', file)).toMatchObject({ code: 0 });
  }

  describe('on a host whose remote and disk fail', () => {
    const served = servedRemote(httpsServer);
    let remote: GitRemote;
    let relay: Relay;

    beforeEach(async () => {
      ({ remote } = served);
      relay = await Relay.start(portOf(remote.url));
    });
    afterEach(() => relay.stop());

    /** A revision that takes its time on the wire. @returns its commit */
    function commit(name: string): string {
      remote.write('policy.yaml', policyText('enforce').replace('name: everything', `name: ${name}`));
      remote.write('large.txt', randomBytes(PACK_BYTES / 2).toString('hex'));
      return remote.commit(name);
    }
    const look = async () => (await service.api<SyncAnswer>('/v1/policies/sync?wait=30', 'POST')).body;
    const policies = async () => {
      const { status, body } = await service.api<{ details: Record<string, Record<string, string>> }>(
        '/readyz',
      );
      expect(status).toBe(200);
      return body.details.policies;
    };

    /** The service is ready, says what is wrong, and decides by the last good revision. */
    async function holdsOut(good: string, reason: RefusalReason): Promise<void> {
      expect(await policies()).toMatchObject({
        status: 'degraded',
        detail: expect.stringMatching(`^revision [0-9a-f]{12} stays in force: ${reason}: `) as string,
      });
      expect(await metric('policy_last_sync_failed')).toBe('1');
      expect(await metric(`policy_sync_total{result="${reason}"}`)).toBe('1');
      await decidesBy(good, reason);
    }
    async function decidesBy(good: string, name: string): Promise<void> {
      await define(name);
      expect(isRestricted(await dump(name))).toBe(true);
      const [, id] = /decision="([^"]+)"/.exec(await dump(name))!;
      const stored = () => service.api<{ record: DecisionRecord }>(`/v1/decisions/${id}`);
      // A full disk keeps it from being written, not from being made.
      if (name === 'disk') return;
      await service.until('the decision is recorded', async () => (await stored()).status === 200);
      expect((await stored()).body.record.decision.inputs).toMatchObject({ policyCommit: good });
    }

    it('are followed again once they work; until then the last good revision decides, and the host says so', async () => {
      const { access } = served.server;
      const tokenFile = host.file('token', access.authorization!.replace(/^Bearer /, ''));
      const good = commit('good');
      const state = join(host.directory, 'state');
      mkdirSync(state);
      const mounted = `mount -t tmpfs -o size=${DISK} tmpfs ${state} && exec "$@"`;
      service = await host.serve(
        {
          WARDEN_POLICY_GIT: relay.urlOf(remote.url),
          WARDEN_POLICY_CA_FILE: access.caFile!,
          WARDEN_POLICY_TOKEN_FILE: tokenFile,
          WARDEN_POLICY_POLL_SECONDS: '0',
        },
        ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', mounted, 'sh'],
      );
      await service.until('the first is in force', async () => {
        const { body } = await service.api<PolicyStatusAnswer>('/v1/policies/status');
        return body.inForce?.commit === good;
      });
      expect(await policies()).toMatchObject({ status: 'up' });

      // It hangs.
      commit('next');
      relay.passes = 0;
      const { status, body } = await service.api<{ detail: string }>('/v1/policies/sync?wait=0', 'POST');
      expect([status, body.detail]).toEqual([202, expect.stringMatching(/^fetching since /)]);
      await decidesBy(good, 'hanging');
      const { stdout } = await service.ctl('policy', 'status');
      expect(stdout).toMatch(/^now {7}fetching, since /m);
      relay.drop();
      await service.until('the look is over', async () => (await metric('policy_last_sync_failed')) === '1');
      await holdsOut(good, 'unreachable');

      // It vanishes in the middle of a fetch, or sends garbage.
      Object.assign(relay, { passes: MIDDLE, trouble: 'vanishes' });
      expect(await look()).toMatchObject({ result: 'refused', reason: 'garbage' });
      await holdsOut(good, 'garbage');
      Object.assign(relay, { passes: Infinity, trouble: 'stalls' });

      // Its branch moves back.
      remote.git('checkout', '--quiet', '--orphan', 'other');
      commit('other');
      expect(await look()).toMatchObject({ result: 'refused', reason: 'rewritten' });
      await holdsOut(good, 'rewritten');
      remote.git('checkout', '--quiet', '-B', 'main', good);

      // The disk is full.
      const next = commit('new');
      const disk = service.pathInside(state);
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(join(disk, 'filler'), Buffer.alloc(bavail * bsize));
      expect(await look()).toMatchObject({ result: 'refused', reason: 'disk' });
      await holdsOut(good, 'disk');
      rmSync(join(disk, 'filler'));

      expect(await look()).toMatchObject({ result: 'activated' });
      await service.until('it is well', async () => (await policies())?.status === 'up');
      expect(await metric('policy_last_sync_failed')).toBe('0');
      await decidesBy(next, 'well');
    }, 120_000);
  });

  describe('with a rule that time enforces', () => {
    const remote = new GitRemote();
    afterAll(() => remote.remove());

    const stale = async () =>
      (await service.api<{ items: DomainRecord[] }>('/v1/domains?stale=true')).body.items;
    const verdict = async () => {
      const [newest] = await service.list<DecisionSummary>('/v1/decisions?domain=vm');
      return newest?.verdict;
    };

    it('let a running domain be out of date until its restart, and again when the clock jumps back', async () => {
      const from = new Date(Date.now() + 2 * DAY_MS).toISOString().slice(0, 10);
      const staged = policyText('enforce').replace(
        'mode: enforce',
        `mode: enforce\n      rollout: [{ from: ${from} }]`,
      );
      remote.write('policy.yaml', staged);
      remote.commit('staged');
      const clock = new ShiftedClock(join(host.directory, 'clock'));
      service = await host.serve(
        { WARDEN_POLICY_GIT: remote.url, WARDEN_POLICY_POLL_SECONDS: '0' },
        clock.launcher,
      );
      await service.until('it is in force', () => / is in force: /.test(service.log));
      await define('vm');
      expect(isRestricted(await dump('vm'))).toBe(false);
      expect(await virsh(service.uri, 'start', 'vm')).toMatchObject({ code: 0 });
      await service.until('it is known to run', async () => (await verdict()) === 'observed');
      expect(await stale()).toEqual([]);
      expect(await metric('stale_running_domains')).toBe('0');

      clock.setDays(3);
      await service.until('it is out of date', async () => (await stale()).length === 1);
      expect(await stale()).toMatchObject([
        {
          name: 'vm',
          active: true,
          unprotected: true,
          stale: expect.stringMatching(
            /^shut it down and start it again, which makes these edits: /,
          ) as string,
        },
      ]);
      expect(await metric('stale_running_domains')).toBe('1');
      expect((await service.ctl('domains', '--stale')).stdout).toMatch(
        /^vm: shut it down and start it again/,
      );

      // What its control plane does.
      await virsh(service.uri, 'destroy', 'vm');
      await service.until('it is defined again', async () => isRestricted(await dump('vm')));
      expect(await virsh(service.uri, 'start', 'vm')).toMatchObject({ code: 0 });
      await service.until('it is up to date', async () => {
        const { body } = await service.api<DomainRecord>('/v1/domains/vm');
        return body.active && !body.unprotected && body.stale === undefined;
      });
      expect([await stale(), await metric('stale_running_domains')]).toEqual([[], '0']);
      expect(await verdict()).toBe('restricted');

      clock.setDays(0);
      await service.until('the rule is observed again', async () => (await stale()).length === 1);
      expect((await stale())[0]!.stale).toMatch(/stays where an edit put it that policy no longer asks for/);
    }, 120_000);
  });
});
