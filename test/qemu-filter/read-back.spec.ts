import { execFileSync } from 'node:child_process';
import { appendFileSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { DecisionService } from '../../src/decision/decision.service.js';
import { FilterWatch, type ReadBack } from '../../src/filter/filter-watch.js';
import { DomainRegistry } from '../../src/libvirt/domain-registry.js';
import { HostdevNetworks } from '../../src/libvirt/hostdev-networks.js';
import { Reconciler } from '../../src/libvirt/reconciler/reconciler.js';
import { LibvirtClient } from '../../src/libvirt/rpc/libvirt-client.js';
import { startKnowledge } from '../../src/libvirt/hooked-starts.js';
import type { HostCapabilities } from '../../src/host/host-capabilities.js';
import { DecisionRecorder } from '../../src/store/decision-recorder.js';
import { FixtureHost, fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { FILTER_HOST, PRELOAD_HOST } from '../fixtures/hosts.js';
import { hostdev, NODE_INVENTORY, policyOf, risksOf } from '../fixtures/scenario.js';
import { MemoryJournal } from '../proxy/proxy-stand.js';

const NVME = '0000:81:00.0';
const TG3 = '0000:5e:00.0';

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

/**
 * Libvirt, QEMU, its log, its monitor and the library are real. What QEMU opens is not: a second library does that for it
 * (device-opener.c), on a vfio that is a file in memory.
 */
describe.skipIf(missing !== undefined)('the config filter of a running domain, read back', () => {
  const folder = mkdtempSync(join(tmpdir(), 'warden-read-back-'));
  const devices = join(folder, 'devices');
  const library = join(folder, 'vfio-config-filter.so');
  let host: FixtureHost;
  let client: LibvirtClient;
  let reconciler: Reconciler | undefined;

  beforeAll(async () => {
    const built = [library, join(folder, 'fake-vfio.so'), join(folder, 'write-config')];
    execFileSync('make', ['-s', '-C', 'qemu/filter', `BUILD=${folder}`, ...built]);
    execFileSync('sh', ['-c', `${folder}/write-config > ${folder}/config.bin`]);
    const opener = ['-shared', '-fPIC', '-o', join(folder, 'opener.so'), 'test/qemu-filter/device-opener.c'];
    execFileSync('cc', ['-O2', '-Wall', '-Wextra', ...opener, '-lpthread']);
    host = await FixtureHost.start();
  }, 120_000);
  beforeEach(async () => {
    client = await LibvirtClient.connect({ path: host.socket });
  });
  afterEach(async () => {
    reconciler?.disconnected();
    for (const domain of await client.listDomains()) {
      await client.destroyDomain(domain).catch(() => undefined);
      await client.undefineDomain(domain).catch(() => undefined);
    }
    await client.close();
  });
  afterAll(async () => {
    await host?.stop();
    rmSync(folder, { recursive: true, force: true });
  });

  /** A service on a host whose emulator takes the filter by one of the carriers. */
  async function service(carrier: HostCapabilities, unverified = 'alarm', patienceMs = 3_000) {
    const journal = new MemoryJournal();
    const registry = new DomainRegistry('node', journal);
    registry.load([]);
    const decisions = new DecisionService({
      policy: policyOf(
        `{ name: f, mode: enforce, require: [unassigned-extended, unassigned-legacy], mitigations: [qemu-config-filter], unverified: ${unverified} }`,
      ),
      risks: risksOf(),
      inventory: NODE_INVENTORY,
      host: { ...carrier, qemuConfigFilter: { ...carrier.qemuConfigFilter, library } },
      hostMode: 'enforce',
    });
    const readBacks: ReadBack[] = [];
    const filterWatch = new FilterWatch({
      journal,
      host: 'node',
      domainLogs: join(host.root, 'var/log/libvirt/qemu'),
      readBack: (outcome) => readBacks.push(outcome),
      log: { error: () => {} },
      clock: () => new Date(),
      patienceMs,
    });
    const recorder = new DecisionRecorder(decisions, journal, 'node');
    reconciler = new Reconciler({
      recorder,
      registry,
      journal,
      networks: new HostdevNetworks(),
      starts: startKnowledge(),
      host: 'node',
      redefine: true,
      filterWatch,
      log: { info: () => {}, warn: (message) => console.warn(message) },
    });
    await reconciler.connected(await LibvirtClient.connect({ path: host.socket }));
    const start = async (name: string, hostdevs: string) => {
      const { xml } = recorder.evaluate({ xml: vm(name, hostdevs), domainState: 'new', hostdevNetworks: [] });
      return client.startDomain(await client.defineDomain(xml));
    };
    const told = (kind: string) =>
      journal.events.filter((event) => event.kind === kind).map(({ detail }) => detail);
    return { start, told, registry, filterWatch, readBacks };
  }

  /** Its QEMU opens what is listed, through whatever is preloaded before. */
  function vm(name: string, hostdevs: string): string {
    const env = Object.entries({
      LD_PRELOAD: `${folder}/opener.so:${folder}/fake-vfio.so`,
      FAKE_DEVICES: devices,
      FAKE_CONFIG: `${folder}/config.bin`,
    }).map(([key, value]) => `<qemu:env name='${key}' value='${value}'/>`);
    return `<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>${name}</name>
      <memory unit='MiB'>32</memory><os><type arch='x86_64' machine='q35'>hvm</type></os>
      <devices><emulator>/usr/bin/qemu-system-x86_64</emulator>
        <controller type='pci' index='0' model='pcie-root'/>
        ${[1, 2, 3, 4].map((index) => `<controller type='pci' index='${index}' model='pcie-root-port'/>`).join('')}
        ${hostdevs}</devices>
      <qemu:commandline>${env.join('')}</qemu:commandline></domain>`;
  }

  it('is verified by what the library says when QEMU opens the device, and again after each attach', async () => {
    writeFileSync(devices, `${NVME}\n`);
    const { start, told, registry, readBacks } = await service(PRELOAD_HOST);
    const { uuid } = await start('good', hostdev(NVME));

    await vi.waitFor(() => expect(told('verified')).toHaveLength(1), 10_000);
    expect(told('verified')[0]).toContain(`the config filter has the rules of ${NVME}`);
    expect(registry.get(uuid)).toMatchObject({ unprotected: false });

    appendFileSync(devices, `${TG3}\n`);
    await client.attachDevice(await client.domainByName('good'), hostdev(TG3), 1);
    await vi.waitFor(() => expect(told('verified')).toHaveLength(2), 10_000);
    expect(told('verified')[1]).toContain(`the rules of ${NVME}, ${TG3}`);
    expect(told('unverified')).toEqual([]);
    expect(readBacks).toEqual(['verified', 'verified']);
    expect(registry.get(uuid)).toMatchObject({ unprotected: false });
  }, 60_000);

  it('raises an alarm where the library has not seen the device', async () => {
    writeFileSync(devices, '');
    const { start, told, registry, filterWatch, readBacks } = await service(PRELOAD_HOST, 'alarm', 500);
    const domain = await start('blind', hostdev(NVME));

    await vi.waitFor(() => expect(told('started-unprotected')).toHaveLength(1), 10_000);
    expect(told('unverified')).toEqual([`${NVME}: its QEMU has no filter for it`]);
    expect(told('started-unprotected')[0]).toContain('its QEMU has no filter for it');
    expect(registry.get(domain.uuid)).toMatchObject({ active: true, unprotected: true });
    expect([filterWatch.unverifiedRunning, readBacks]).toEqual([1, ['missing']]);
    expect(told('verified')).toEqual([]);

    await client.destroyDomain(domain);
    await vi.waitFor(() => expect(filterWatch.unverifiedRunning).toBe(0), 5_000);
  }, 60_000);

  it('ends the domain where policy says so', async () => {
    writeFileSync(devices, '');
    const { start, told } = await service(PRELOAD_HOST, 'stop', 500);
    const domain = await start('stopped', hostdev(NVME));

    await vi.waitFor(async () => expect(await client.isActive(domain)).toBe(false), 10_000);
    expect(told('ended')).toEqual([`policy does not let it run without the config filter of ${NVME}`]);
  }, 60_000);

  it('is not taken for verified where nobody can be asked, and nothing is ended for that', async () => {
    writeFileSync(devices, `${NVME}\n`);
    const { start, told, readBacks } = await service(PRELOAD_HOST, 'stop', 0);
    rmSync(join(host.root, 'var/log/libvirt/qemu/silent.log'), { force: true });
    const domain = await start('silent', hostdev(NVME));
    await vi.waitFor(() => expect(told('verified')).toHaveLength(1), 10_000);

    // The service comes back, and the log has been taken away meanwhile.
    rmSync(join(host.root, 'var/log/libvirt/qemu/silent.log'));
    reconciler!.disconnected();
    const again = await service(PRELOAD_HOST, 'stop', 0);
    await vi.waitFor(() => expect(again.told('unverified')).toHaveLength(1), 10_000);
    expect(again.told('unverified')[0]).toContain('silent.log cannot be read');
    expect(again.registry.get(domain.uuid)).toMatchObject({ active: true, unprotected: false });
    expect(again.filterWatch.unverifiedRunning).toBe(1);
    expect([readBacks, again.readBacks]).toEqual([['verified'], ['unknown']]);
    expect(await client.isActive(domain)).toBe(true);
  }, 60_000);

  it('is no matter where policy asks for it only since the domain has started: then that lacks it, and is not ended', async () => {
    writeFileSync(devices, '');
    const domain = await client.startDomain(await client.defineDomain(vm('older', hostdev(NVME))));
    const { told, registry, readBacks } = await service(PRELOAD_HOST, 'stop', 0);

    await vi.waitFor(() => expect(told('started-unprotected')).toHaveLength(1), 10_000);
    expect(registry.get(domain.uuid)).toMatchObject({ active: true, unprotected: true });
    expect([readBacks, told('ended')]).toEqual([[], []]);
  }, 60_000);

  it('is asked of QEMU’s monitor where it is a property: a QEMU that was replaced by one without it is found out', async () => {
    const { start, told, readBacks } = await service(FILTER_HOST, 'alarm', 0);
    await start('stock', hostdev(NVME));

    await vi.waitFor(() => expect(told('unverified')).toHaveLength(1), 10_000);
    expect(told('unverified')).toEqual([`${NVME}: its QEMU has no filter for it`]);
    expect(readBacks).toEqual(['missing']);
  }, 60_000);

  it('gets QEMU’s own words by libvirt', async () => {
    await client.startDomain(await client.defineDomain(vm('asked', '')));
    const domain = await client.domainByName('asked');
    const ask = async (execute: string, args: Record<string, string>) =>
      JSON.parse(await client.monitorCommand(domain, JSON.stringify({ execute, arguments: args }))) as {
        return?: unknown;
        error?: { class: string };
      };

    expect((await ask('qom-list', { path: '/machine/peripheral' })).return).toContainEqual(
      expect.objectContaining({ name: 'pci.1', type: 'child<pcie-root-port>' }),
    );
    expect((await ask('qom-get', { path: '/machine/peripheral/pci.1', property: 'chassis' })).return).toBe(1);
    expect(
      (await ask('qom-get', { path: '/machine/peripheral/pci.1', property: 'x-no' })).error,
    ).toMatchObject({
      class: 'GenericError',
    });
    await expect(client.monitorCommand(domain, 'no json')).rejects.toThrow();
  }, 60_000);
});
