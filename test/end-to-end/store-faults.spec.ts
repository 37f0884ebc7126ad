import { once } from 'node:events';
import { mkdirSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import type { DecisionSummary, StoredEvent } from '../../src/store/records.js';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { lineOf, spawnProgram } from '../store/child-process.js';
import { virsh } from './clients.js';
import { GuardedHost } from './guarded-host.js';
import { guestWith, isRestricted, NVME } from './guests.js';
import type { RunningService } from './running-service.js';

/** Of the state directory in the test that fills it. */
const DISK_BYTES = 4 * 2 ** 20;

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('without its store', () => {
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

  const database = () => join(service.stateDirectory, 'decisions.sqlite');
  const gaps = () => service.list<StoredEvent>('/v1/events?kind=gap');
  const store = async () => {
    const { status, body } = await service.api<{ details: Record<string, { status: string }> }>('/readyz');
    return { status, store: body.details?.store?.status };
  };

  async function define(name: string): Promise<void> {
    expect(await virsh(service.uri, 'define', host.file('vm.xml', guestWith(NVME, name)))).toMatchObject({
      code: 0,
    });
    expect(isRestricted((await virsh(service.uri, 'dumpxml', name)).stdout)).toBe(true);
  }

  /** What a VM needs, while the store cannot be written to. */
  async function defineAndStart(name: string): Promise<void> {
    await define(name);
    expect(await virsh(service.uri, 'start', name)).toMatchObject({ code: 0, stderr: '' });
    await service.until('the store is missed', async () => (await store()).store === 'degraded');
    expect((await store()).status).toBe(200);
  }

  /** Afterwards everything is on record, and that it came late. */
  async function expectRecordedWithGap(name: string): Promise<void> {
    await service.until('the gap is recorded', async () => (await gaps()).length > 0);
    const decisions = await service.list<DecisionSummary>(`/v1/decisions?domain=${name}`);
    expect(decisions.map(({ surface }) => surface)).toEqual(expect.arrayContaining(['proxy', 'hook']));
    expect(await store()).toEqual({ status: 200, store: 'up' });
  }

  it('on a full disk domains are defined and started, and recorded when there is space', async () => {
    const state = join(host.directory, 'state');
    mkdirSync(state);
    const mounted = `mount -t tmpfs -o size=${DISK_BYTES} tmpfs ${state} && exec "$@"`;
    const launcher = ['unshare', '--mount', '--propagation', 'private', 'sh', '-c', mounted, 'sh'];
    service = await host.serve({}, launcher);
    const ballast = service.pathInside(join(state, 'ballast'));
    expect(() => writeFileSync(ballast, Buffer.alloc(DISK_BYTES))).toThrow('ENOSPC');
    await defineAndStart('on-a-full-disk');

    rmSync(ballast);
    await expectRecordedWithGap('on-a-full-disk');
    expect((await gaps())[0]?.detail).toMatch(/database or disk is full.* 0 are lost/);
  }, 90_000);

  it('that another process has locked domains are defined and started, and recorded afterwards', async () => {
    service = await host.serve();
    await define('before');
    await service.until('the store is in use', async () => (await service.list('/v1/decisions')).length > 0);
    const holder = spawnProgram('lock-holder.ts', [database()]);
    await lineOf(holder, 'locked');
    await defineAndStart('while-locked');

    const released = once(holder, 'close');
    holder.stdin!.end();
    await released;
    await expectRecordedWithGap('while-locked');
    expect((await gaps())[0]?.detail).toMatch(/database is locked.* 0 are lost/);
  }, 90_000);

  it('whose file was spoilt while it was stopped it begins another one, and says where the old one is', async () => {
    service = await host.serve();
    await define('before');
    await service.stop();
    writeFileSync(database(), 'this is no database, whatever its name says. '.repeat(1000));
    for (const companion of ['-wal', '-shm']) rmSync(database() + companion, { force: true });
    await service.begin();
    await service.ready();

    await define('after');
    expect(await virsh(service.uri, 'start', 'after')).toMatchObject({ code: 0 });
    const [gap] = await gaps();
    expect(gap?.detail).toContain('The database was corrupted: what was recorded before is in');
    expect(
      readdirSync(service.stateDirectory).some(
        (file) => gap?.detail.includes(file) && file.includes('corrupt'),
      ),
    ).toBe(true);
    // What libvirt knows is known again.
    const names = (await service.list<{ name: string }>('/v1/domains')).map(({ name }) => name);
    expect(names).toEqual(['after', 'before']);
  }, 90_000);
});
