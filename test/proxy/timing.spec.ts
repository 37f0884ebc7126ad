import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { hostdev } from '../fixtures/scenario.js';
import { LibvirtClient } from '../../src/libvirt/rpc/libvirt-client.js';
import { domain, FREE_BRIDGE, NVME } from './domains.js';
import { ProxiedHost } from './proxied-host.js';

const missing = fixtureHostMissing();
const RUNS = 200;
const SLOW_MS = 3_000;

describe.skipIf(missing !== undefined)('a decision in time', () => {
  let proxied: ProxiedHost;
  let client: LibvirtClient;

  beforeAll(async () => {
    proxied = await ProxiedHost.start({
      domainXml: async (ref, flags) => {
        await delay(SLOW_MS);
        return client.domainXml(ref, flags);
      },
    });
    client = await LibvirtClient.connect({ path: proxied.host.socket });
  }, 60_000);
  afterEach(() => proxied.clear());
  afterAll(async () => {
    await client?.close();
    await proxied?.stop();
  });

  it(
    'is in force in every start, also where the start is the next call after the definition',
    { timeout: 250_000 },
    async () => {
      const xml = proxied.file(
        'domain.xml',
        domain('NAME', hostdev('0000:81:00.0').replace('0x81', '0xBUS')),
      );
      const counted = await proxied.python('define_then_create.py', xml, String(RUNS), '81,65,66,5e');

      expect(counted).toEqual({ withBridge: RUNS, without: 0, errors: [] });
    },
  );

  it('delays no other call of the same client where it takes long, and no keepalive', async () => {
    await proxied.define(domain('vm', FREE_BRIDGE));
    const { attach, asked, longest, alive } = await proxied.python<{
      attach: number;
      asked: number;
      longest: number;
      alive: boolean;
    }>('slow_attach.py', 'vm', proxied.file('device.xml', hostdev(NVME)));

    expect(attach).toBeGreaterThan(SLOW_MS / 1000);
    expect(asked).toBeGreaterThan(20);
    expect(longest).toBeLessThan(1);
    expect(alive).toBe(true);
  });
});
