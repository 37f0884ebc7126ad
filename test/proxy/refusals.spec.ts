import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { hostdev } from '../fixtures/scenario.js';
import { LibvirtClient } from '../../src/libvirt/rpc/libvirt-client.js';
import { ERROR_CODE, type LibvirtError } from '../../src/libvirt/rpc/libvirt-error.js';
import { domain, NVME } from './domains.js';
import { NOTHING_HELPS, ProxiedHost } from './proxied-host.js';

const missing = fixtureHostMissing();
const AFFECT_LIVE = 1;

describe.skipIf(missing !== undefined)('what policy refuses, the proxy refuses in the way of libvirt', () => {
  let proxied: ProxiedHost;
  let client: LibvirtClient;
  const refusal = (call: Promise<unknown>): Promise<LibvirtError> =>
    call.then(
      () => expect.unreachable('it was not refused'),
      (error: LibvirtError) => error,
    );

  beforeAll(async () => {
    proxied = await ProxiedHost.start({ policy: NOTHING_HELPS });
    client = await LibvirtClient.connect({ path: proxied.stand.socket });
  }, 60_000);
  afterEach(() => proxied.clear());
  afterAll(async () => {
    await client?.close();
    await proxied?.stop();
  });

  it('a domain, with the reason and the decision', async () => {
    const error = await refusal(client.defineDomain(domain('vm', hostdev(NVME))));
    const [record] = proxied.stand.journal.decisions;

    expect(error.code).toBe(ERROR_CODE.operationDenied);
    expect(error.message).toMatch(
      /^vfio-warden: decision wd-.*policy refuses this domain: 0000:81:00\.0: unassigned-extended stays open \(rule closed/,
    );
    expect(error.message).toContain(`decision ${record!.decision.id}`);
    expect(record!.decision.verdict).toBe('denied');
  });

  it('and libvirt never hears of it', async () => {
    await refusal(client.defineDomain(domain('vm', hostdev(NVME))));
    await refusal(client.createDomain(domain('vm', hostdev(NVME))));

    expect(await proxied.host.virsh('list', '--all', '--name')).not.toContain('vm');
  });

  it('and virsh prints the reason', async () => {
    await expect(proxied.define(domain('vm', hostdev(NVME)))).rejects.toThrow(
      /error: .*vfio-warden: .*0000:81:00\.0: unassigned-extended stays open/,
    );
  });

  it('a device that is attached to a running domain', async () => {
    const vm = await client.createDomain(domain('vm', ''));
    const error = await refusal(client.attachDevice(vm, hostdev(NVME), AFFECT_LIVE));

    expect(error.code).toBe(ERROR_CODE.operationDenied);
    expect(await client.domainXml(vm)).not.toContain('<hostdev');
  });

  it.each([
    ['XML that is none', '<domain><name>vm</domain>'],
    ['a document type', `<!DOCTYPE domain [<!ENTITY a "b">]>${domain('vm', '')}`],
    ['an address that is none', domain('vm', hostdev(NVME).replace('0x81', '0xzz'))],
  ])('%s, with the place and what to do', async (_, xml) => {
    const error = await refusal(client.defineDomain(xml));

    expect(error.code).toBe(ERROR_CODE.xmlError);
    expect(error.message).toMatch(/^vfio-warden: .*line \d+/s);
    expect(await proxied.host.virsh('list', '--all', '--name')).not.toContain('vm');
  });

  it('nothing that assigns no device', async () => {
    await client.defineDomain(domain('vm', ''));

    expect(await proxied.host.virsh('list', '--all', '--name')).toContain('vm');
  });
});
