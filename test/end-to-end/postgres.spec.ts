import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecisionSummary, DomainRecord } from '../../src/store/records.js';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { PostgresServer } from '../store/postgres-server.js';
import { virsh } from './clients.js';
import { GuardedHost } from './guarded-host.js';
import { guestWith, NVME } from './guests.js';
import type { RunningService } from './running-service.js';

const NODES = ['node-1', 'node-2'] as const;

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('two nodes with one PostgreSQL', () => {
  let postgres: PostgresServer;
  let hosts: GuardedHost[] = [];
  let services: RunningService[] = [];

  beforeAll(async () => {
    postgres = await PostgresServer.start();
    hosts = [await GuardedHost.start(), await GuardedHost.start()];
    const environments = NODES.map((node) => ({ WARDEN_HOST_NAME: node, DATABASE_URL: postgres.url() }));
    services = await Promise.all(hosts.map((host, index) => host.serve(environments[index])));
    for (const [index, service] of services.entries()) {
      const file = hosts[index]!.file('vm.xml', guestWith(NVME));
      expect(await virsh(service.uri, 'define', file)).toMatchObject({ code: 0 });
    }
  }, 90_000);

  afterAll(async () => {
    for (const service of services) await service.stop();
    for (const host of hosts) await host.stop();
    await postgres?.remove();
  }, 60_000);

  it.each([0, 1])(
    "know each other's decisions and domains (asked of the one with index %i)",
    async (index) => {
      const service = services[index]!;
      const decisions = () => service.list<DecisionSummary>('/v1/decisions?domain=vm');
      const written = () => service.list<DomainRecord>('/v1/domains');
      // A domain's record is written after its decision.
      await service.until(
        'both have written',
        async () => (await decisions()).length === 2 && (await written()).length === 2,
      );
      expect((await decisions()).map(({ host }) => host).toSorted()).toEqual([...NODES]);
      const domains = await written();
      expect(domains.map(({ host, name }) => [host, name]).toSorted()).toEqual(
        NODES.map((node) => [node, 'vm']),
      );
      const { stdout } = await service.ctl('decisions', '--host', NODES[1 - index]!);
      expect(stdout).toMatch(/restricted +proxy define +vm/);
    },
  );

  it('outlive the end of the database, and tell of the gap when it is back', async () => {
    await postgres.stop();
    const [host, service] = [hosts[0]!, services[0]!];
    const file = host.file('vm.xml', guestWith(NVME, 'without-database'));
    expect(await virsh(service.uri, 'define', file)).toMatchObject({ code: 0 });
    expect(await virsh(service.uri, 'start', 'without-database')).toMatchObject({ code: 0 });
    await postgres.begin();
    const gaps = async () => (await services[1]!.list('/v1/events?kind=gap&host=node-1')).length;
    await service.until('the other node reads of the gap', async () => (await gaps()) > 0);
  }, 60_000);
});
