import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { DOMAIN_LIFECYCLE } from '../../src/libvirt/rpc/events.js';
import { ERROR_CODE, ERROR_DOMAIN, LibvirtError } from '../../src/libvirt/rpc/libvirt-error.js';
import { LibvirtClient, type DomainEvent, type NetworkEvent } from '../../src/libvirt/rpc/libvirt-client.js';
import { tinyDomain } from './domains.js';
import { libvirtdMissing, PrivateLibvirtd } from './private-libvirtd.js';

/** `VIR_DOMAIN_AFFECT_LIVE` */
const LIVE = 1;
/** `VIR_DOMAIN_RUNNING` and its reason `VIR_DOMAIN_RUNNING_BOOTED`; `VIR_DOMAIN_SHUTOFF` */
const RUNNING_BOOTED = { state: 1, reason: 1 };
const SHUT_OFF = 5;

const missing = libvirtdMissing();
if (missing) console.warn(`the client is not tried against a real libvirtd: ${missing}`);

/** QEMU tells of its shutdown when it is destroyed, or is gone before it can. */
function isCertain(event: DomainEvent): boolean {
  return event.kind !== 'lifecycle' || event.event !== DOMAIN_LIFECYCLE.shutdown;
}

describe.skipIf(missing)('a client of a real libvirtd', () => {
  let daemon: PrivateLibvirtd;
  let client: LibvirtClient;

  beforeAll(async () => {
    daemon = await PrivateLibvirtd.start();
    client = await LibvirtClient.connect({ path: daemon.socket });
  }, 60_000);
  afterAll(async () => {
    await client?.close();
    await daemon?.stop();
  });

  it('asks who it is talking to', async () => {
    expect(await client.libVersion()).toBeGreaterThanOrEqual(9_000_000);
    expect(await client.hypervisorVersion()).toBeGreaterThanOrEqual(7_000_000);
    expect(await client.hostname()).not.toBe('');
  });

  it('defines, finds, reads and undefines a domain', async () => {
    const uuid = '11111111-2222-3333-4444-555555555555';
    const defined = await client.defineDomain(tinyDomain('käse', { uuid }));

    expect(defined).toEqual({ name: 'käse', uuid, id: -1 });
    expect(await client.domainByName('käse')).toEqual(defined);
    expect(await client.domainByUuid(uuid)).toEqual(defined);
    expect(await client.listDomains()).toContainEqual(defined);
    expect(await client.domainXml(defined)).toContain('<name>käse</name>');
    expect(await client.isPersistent(defined)).toBe(true);
    expect(await client.isActive(defined)).toBe(false);
    expect(await client.hasManagedSave(defined)).toBe(false);
    expect((await client.domainState(defined)).state).toBe(SHUT_OFF);

    await client.undefineDomain(defined);
    expect(await client.listDomains()).not.toContainEqual(defined);
  });

  it('says in libvirt’s own words why something cannot be done', async () => {
    const absent = client.domainByName('absent');
    await expect(absent).rejects.toBeInstanceOf(LibvirtError);
    await expect(absent).rejects.toMatchObject({
      code: ERROR_CODE.noDomain,
      domain: ERROR_DOMAIN.qemu,
      message: expect.stringContaining("no domain with matching name 'absent'"),
    });
    await expect(client.defineDomain('<nonsense/>')).rejects.toMatchObject({ code: ERROR_CODE.xmlError });
  });

  it('starts, suspends, resumes and destroys a domain', async () => {
    const defined = await client.defineDomain(tinyDomain('cycle'));
    const started = await client.startDomain(defined);

    expect(started.id).toBeGreaterThan(0);
    expect(await client.domainById(started.id)).toEqual(started);
    expect(await client.domainState(started)).toEqual(RUNNING_BOOTED);
    await client.suspendDomain(started);
    await client.resumeDomain(started);
    await client.shutDownDomain(started);
    await client.destroyDomain(started);
    expect(await client.isActive(started)).toBe(false);
    await expect(client.destroyDomain(started)).rejects.toMatchObject({ code: ERROR_CODE.operationInvalid });
    await client.undefineDomain(defined);
  });

  it('creates a transient domain, which is gone when it stops', async () => {
    const created = await client.createDomain(tinyDomain('passing'));

    expect(await client.isPersistent(created)).toBe(false);
    await client.destroyDomain(created);
    await expect(client.domainByName('passing')).rejects.toMatchObject({ code: ERROR_CODE.noDomain });
  });

  it('attaches, updates and detaches a device', async () => {
    const rng = `<rng model='virtio'><backend model='random'>/dev/urandom</backend></rng>`;
    const devices = `<graphics type='vnc' autoport='yes'><listen type='address' address='127.0.0.1'/></graphics>`;
    const domain = await client.defineDomain(tinyDomain('plugged', { devices }));
    /** `VIR_DOMAIN_AFFECT_CONFIG` */
    const config = 2;

    await client.attachDevice(domain, rng, config);
    expect(await client.domainXml(domain)).toContain('<rng ');
    await client.updateDevice(
      domain,
      devices.replace('127.0.0.1', '127.0.0.2').replace('127.0.0.1', '127.0.0.2'),
      config,
    );
    expect(await client.domainXml(domain)).toContain('127.0.0.2');
    await client.detachDevice(domain, rng, config);
    expect(await client.domainXml(domain)).not.toContain('<rng ');
    await client.undefineDomain(domain);
  });

  it('hears what happens to domains and their devices, in order, until it wants to hear no more', async () => {
    const events: DomainEvent[] = [];
    const unsubscribe = await client.onDomainEvent((event) => events.push(event));
    const rng = `<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-dice'/></rng>`;
    const devices = `<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' index='2' model='pcie-root-port'/>`;

    const domain = await client.startDomain(await client.defineDomain(tinyDomain('heard', { devices })));
    await client.attachDevice(domain, rng, LIVE);
    await client.destroyDomain(domain);
    await client.undefineDomain(domain);
    await client.hostname();

    expect(events.map((event) => [event.kind, event.domain.name])).toEqual(
      events.map(({ kind }) => [kind, 'heard']),
    );
    const told = events
      .filter(isCertain)
      .map((event) => (event.kind === 'lifecycle' ? event.event : event.kind));
    const { defined, resumed, started, stopped, undefined: gone } = DOMAIN_LIFECYCLE;
    expect(told).toEqual([defined, resumed, started, 'device-added', stopped, gone]);
    expect(events).toContainEqual(expect.objectContaining({ kind: 'device-added', alias: 'ua-dice' }));

    unsubscribe();
    const before = events.length;
    await client.undefineDomain(await client.defineDomain(tinyDomain('unheard')));
    await client.hostname();
    expect(events).toHaveLength(before);
  });

  it('tells every listener, and forgets one without the others', async () => {
    const first: string[] = [];
    const second: string[] = [];
    const [forget] = await Promise.all([
      client.onDomainEvent(({ domain }) => first.push(domain.name)),
      client.onDomainEvent(({ domain }) => second.push(domain.name)),
    ]);
    forget!();
    await client.undefineDomain(await client.defineDomain(tinyDomain('once')));
    await client.hostname();

    expect(first).toEqual([]);
    expect(second).toEqual(['once', 'once']);
  });

  it('reads networks and hears of them', async () => {
    const events: NetworkEvent[] = [];
    await client.onNetworkEvent((event) => events.push(event));
    await daemon.run(
      `echo "<network><name>lonely</name></network>" > /run/net.xml; virsh net-define /run/net.xml`,
    );

    const [network] = await client.listNetworks();
    expect(network).toMatchObject({ name: 'lonely' });
    expect(await client.networkXml(network!)).toContain('<name>lonely</name>');
    expect(events).toMatchObject([{ kind: 'lifecycle', event: 0, network: { name: 'lonely' } }]);
    await expect(
      client.networkXml({ ...network!, name: 'x', uuid: '00000000-0000-4000-8000-000000000000' }),
    ).rejects.toMatchObject({
      code: ERROR_CODE.noNetwork,
    });
  });

  it('may only look where it has asked to be read-only, or where the socket is', async () => {
    for (const options of [{ path: daemon.readOnlySocket }, { path: daemon.socket, readOnly: true }]) {
      const looker = await LibvirtClient.connect(options);
      await looker.listDomains();
      await expect(looker.defineDomain(tinyDomain('no'))).rejects.toMatchObject({
        code: ERROR_CODE.operationDenied,
      });
      await looker.close();
    }
  });

  it('is told by libvirt that it knows no such driver', async () => {
    await expect(
      LibvirtClient.connect({ path: daemon.socket, uri: 'nonsense:///system' }),
    ).rejects.toBeInstanceOf(LibvirtError);
  });

  it('makes 10,000 calls at once and has every answer in its place', async () => {
    const domains = await Promise.all(
      Array.from({ length: 8 }, (_, index) => client.defineDomain(tinyDomain(`many-${index}`))),
    );
    const began = performance.now();
    const answers = await Promise.all(
      Array.from({ length: 10_000 }, (_, index) => client.domainXml(domains[index % 8]!)),
    );
    console.log(`10,000 getXMLDesc at once: ${((performance.now() - began) / 1000).toFixed(2)} s`);

    const misplaced = answers.filter((xml, index) => !xml.includes(`<name>many-${index % 8}</name>`));
    expect(misplaced).toEqual([]);
    await Promise.all(domains.map((domain) => client.undefineDomain(domain)));
  }, 60_000);

  it('carries a document of 3 MiB', async () => {
    const description = 'x'.repeat(3 * 1024 * 1024);
    const xml = tinyDomain('bulky').replace('<memory', `<description>${description}</description><memory`);
    const domain = await client.defineDomain(xml);

    expect(await client.domainXml(domain)).toContain(description);
    await client.undefineDomain(domain);
  });
});

/** Takes its time with domains that are called slow, and lets no other start. */
const HOOK = String.raw`#!/bin/sh
case "$1 $2" in
slow*prepare) sleep 2 ;;
*prepare)
	printf 'not today, \377\n' >&2
	exit 1
	;;
esac
`;

describe.skipIf(missing)('a client of a libvirtd with a hook', () => {
  let daemon: PrivateLibvirtd;
  let client: LibvirtClient;

  beforeAll(async () => {
    const hook = join(mkdtempSync(join(tmpdir(), 'hook-')), 'qemu');
    writeFileSync(hook, HOOK);
    daemon = await PrivateLibvirtd.start({ hook });
    rmSync(dirname(hook), { recursive: true });
    client = await LibvirtClient.connect({ path: daemon.socket });
  }, 60_000);
  afterAll(async () => {
    await client?.close();
    await daemon?.stop();
  });

  it('hears what the hook has said, even if that is not UTF-8', async () => {
    const domain = await client.defineDomain(tinyDomain('vetoed'));
    await expect(client.startDomain(domain)).rejects.toMatchObject({
      code: ERROR_CODE.hookScriptFailed,
      domain: ERROR_DOMAIN.hook,
      message: expect.stringContaining('not today, \ufffd'),
    });
  });

  it('does not take a libvirtd for dead that is busy with many of its calls', async () => {
    const watchful = await LibvirtClient.connect({
      path: daemon.socket,
      keepalive: { intervalMs: 200, count: 3 },
    });
    const names = Array.from({ length: 8 }, (_, index) => `slow-${index}`);
    const domains = await Promise.all(names.map((name) => watchful.defineDomain(tinyDomain(name))));
    const started = await Promise.all(domains.map((domain) => watchful.startDomain(domain)));

    expect(started.map(({ name }) => name)).toEqual(names);
    await watchful.close();
  });
});
