import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { HostdevNetworks } from '../../src/libvirt/hostdev-networks.js';
import { LibvirtClient, type DomainEvent } from '../../src/libvirt/rpc/libvirt-client.js';
import { hostdev, policyOf } from '../fixtures/scenario.js';
import { ProxyStand } from '../proxy/proxy-stand.js';
import { ModularHost, modularHostMissing } from './modular-host.js';

const CLOSED = policyOf(
  '{ name: closed, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: before-first-run, uncovered: deny }',
);
// By its physical function, which is looked up at start only: libvirt 11 refuses addresses of functions that are not there.
const NETWORK =
  "<network><name>vfs</name><forward mode='hostdev' managed='yes'><pf dev='no-such-pf'/></forward></network>";
const BRIDGE = /model='pcie-to-pci-bridge'/;

const missing = modularHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('virtqemud and virtnetworkd of libvirt 11', () => {
  let host: ModularHost;
  let stand: ProxyStand;
  const networks = new HostdevNetworks();

  beforeAll(async () => {
    host = await ModularHost.start();
    stand = new ProxyStand({
      upstream: host.qemuSocket,
      directory: host.directory,
      policy: CLOSED,
      hostdevNetworks: () => networks.names,
    });
    await stand.start();
  }, 90_000);

  afterEach(async () => {
    await host.virsh(direct(), 'destroy', 'vm').catch(() => undefined);
    await host.virsh(direct(), 'undefine', 'vm').catch(() => undefined);
    stand.journal.decisions.length = 0;
  });

  afterAll(async () => {
    await stand?.stop();
    await host?.stop();
  });

  it.each(['virsh', 'virsh11'] as const)(
    'gets a rewritten domain from %s through the proxy',
    async (virsh) => {
      await host[virsh](stand.uri, 'define', file(domain(hostdev('0000:81:00.0'))));

      expect(await host.virsh(direct(), 'dumpxml', 'vm', '--inactive')).toMatch(BRIDGE);
      expect(stand.journal.decisions.map(({ decision }) => decision.verdict)).toEqual(['restricted']);
    },
  );

  it('gives the other devices the addresses that they would have had', async () => {
    const given = file(
      domain(`${hostdev('0000:81:00.0')}<rng model='virtio'><backend model='random'/></rng>`),
    );
    await host.virsh(direct(), 'define', given);
    const before = await otherAddresses();
    await host.virsh(direct(), 'undefine', 'vm');
    await host.virsh(stand.uri, 'define', given);

    expect(await host.virsh(direct(), 'dumpxml', 'vm', '--inactive')).toMatch(BRIDGE);
    expect(await otherAddresses()).toEqual(before);
  });

  it('starts a domain with the bridge that was made for a device', async () => {
    await host.virsh(stand.uri, 'define', file(domain(hostdev('0000:81:00.0'))));
    const rewritten = await host.virsh(direct(), 'dumpxml', 'vm', '--inactive');
    // The device itself is not on this machine.
    const without = rewritten.replace(/<hostdev [^]*?<\/hostdev>/, '');
    await host.virsh(direct(), 'define', file(without));

    await host.virsh(stand.uri, 'start', 'vm');
    expect(await host.virsh(direct(), 'qemu-monitor-command', 'vm', '--hmp', 'info qtree')).toContain(
      'dev: pcie-pci-bridge',
    );
  });

  it.each(['virsh', 'virsh11'] as const)('saves and restores a domain for %s', async (virsh) => {
    await start(virsh);
    const saved = join(host.directory, `saved-${virsh}`);

    await host[virsh](stand.uri, 'save', 'vm', saved);
    expect(await host[virsh](stand.uri, 'domstate', 'vm')).toContain('shut off');
    await host[virsh](stand.uri, 'restore', saved);
    expect(await host[virsh](stand.uri, 'domstate', 'vm')).toContain('running');
  });

  it('saves and restores with parameters, and refuses a device that their XML brings in', async () => {
    await start('virsh11');
    const saved = join(host.directory, 'saved-params');
    const xml = await host.virsh(direct(), 'dumpxml', 'vm', '--migratable');
    const withDevice = xml.replace('</devices>', `${hostdev('0000:81:00.0')}</devices>`);
    // Only DOMAIN_SAVE_PARAMS and DOMAIN_RESTORE_PARAMS have these.
    const save = ['save', 'vm', saved, '--image-format', 'sparse', '--parallel-channels', '2', '--xml'];
    const restore = ['restore', saved, '--parallel-channels', '2', '--xml'];
    const refusal = /vfio-warden: .*0000:81:00\.0: unassigned-extended stays open/;

    await expect(host.virsh11(stand.uri, ...save, file(withDevice))).rejects.toThrow(refusal);
    await host.virsh11(stand.uri, ...save, file(xml));
    await expect(host.virsh11(stand.uri, ...restore, file(withDevice))).rejects.toThrow(refusal);
    await host.virsh11(stand.uri, ...restore, file(xml));

    expect(stand.journal.decisions.map(({ occasion }) => occasion.operation)).toEqual(
      expect.arrayContaining(['save', 'restore']),
    );
    expect(await host.virsh11(stand.uri, 'domstate', 'vm')).toContain('running');
  });

  it('tells of events through the proxy', async () => {
    const client = await LibvirtClient.connect({ path: stand.socket });
    const events: DomainEvent[] = [];
    await client.onDomainEvent((event) => events.push(event));
    await start('virsh');
    await vi.waitFor(() => expect(events.map(({ domain: { name } }) => name)).toContain('vm'), 5_000);
    await client.close();
  });

  it('is driven by the wire client', async () => {
    const client = await LibvirtClient.connect({ path: host.qemuSocket });
    const defined = await client.defineDomain(domain(''));
    expect((await client.startDomain(defined)).id).toBeGreaterThan(0);
    expect((await client.listDomains()).map(({ name }) => name)).toEqual(['vm']);
    expect(await client.libVersion()).toBeGreaterThanOrEqual(11_000_000);
    await client.close();
  });

  it('decides about an interface of a network that virtnetworkd knows', async () => {
    await host.virsh(networkUri(), 'net-define', file(NETWORK));
    const client = await LibvirtClient.connect({ path: host.networkSocket, uri: 'network:///system' });
    await networks.refresh(client);
    await client.close();
    expect(networks.names).toEqual(['vfs']);

    const nic = "<interface type='network'><source network='vfs'/></interface>";
    await host.virsh(stand.uri, 'define', file(domain(nic)));
    expect(stand.journal.decisions.map(({ decision }) => decision.verdict)).toEqual(['restricted']);
    expect(await host.virsh(direct(), 'dumpxml', 'vm', '--inactive')).toMatch(BRIDGE);
  });

  async function start(virsh: 'virsh' | 'virsh11'): Promise<void> {
    await host[virsh](stand.uri, 'define', file(domain('')));
    await host[virsh](stand.uri, 'start', 'vm');
  }

  /** Where the defined domain has its USB controller, balloon and random number generator. */
  async function otherAddresses(): Promise<string[]> {
    const xml = await host.virsh(direct(), 'dumpxml', 'vm', '--inactive');
    const elements = [
      /<controller type='usb'[^]*?<\/controller>/,
      /<memballoon[^]*?<\/memballoon>/,
      /<rng[^]*?<\/rng>/,
    ];
    return elements.map((element) => /<address type='pci'[^>]*>/.exec(element.exec(xml)![0])![0]);
  }

  function direct(): string {
    return `qemu+unix:///system?socket=${host.qemuSocket}`;
  }

  function networkUri(): string {
    return `network+unix:///system?socket=${host.networkSocket}`;
  }

  function file(xml: string): string {
    const path = join(host.directory, 'given.xml');
    writeFileSync(path, xml);
    return path;
  }
});

function domain(devices: string): string {
  return `<domain type='qemu'><name>vm</name><memory unit='MiB'>64</memory>
    <os><type arch='x86_64' machine='q35'>hvm</type></os><devices>${devices}</devices></domain>`;
}
