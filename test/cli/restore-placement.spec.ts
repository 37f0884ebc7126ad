import 'reflect-metadata';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { isDeepStrictEqual } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { restorePlacement } from '../../src/domain-xml/restore-placement.js';
import { probeHost } from '../../src/host/probe-host.js';
import type { HostCapabilities } from '../../src/host/host-capabilities.js';
import { corpusInventory } from '../corpus/corpus-inventory.js';
import { forcing } from '../corpus/forced-policy.js';
import { decideAbout, domain, hostdev } from '../fixtures/scenario.js';
import { FILTER_HOST, PRELOAD_HOST } from '../fixtures/hosts.js';
import { dumpedAddresses } from '../libvirt-oracle/dumped-addresses.js';
import { LibvirtOracle, libvirtMissing } from '../libvirt-oracle/libvirt-oracle.js';

const missing = libvirtMissing();
const FIXTURES = 'test/fixtures/domains';
/** More documents, where a folder of them is at hand (libvirt's own test data is a good one). */
const CORPUS = process.env['CORPUS_DIR'];

const GPU = hostdev('0000:65:00.0');
const NVME = hostdev('0000:81:00.0');
const DISK = "<disk type='file' device='disk'><source file='/d'/><target dev='vda' bus='virtio'/></disk>";
const NIC = "<interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>";

/** As libvirt reads it without KVM and an identity that it need not make up. */
function fixed(xml: string): string {
  const tcg = xml.replace(/(<domain\b[^>]*\btype=["'])kvm(["'])/, '$1qemu$2');
  const memory = tcg.includes('<memory') ? '' : '<memory>65536</memory>';
  const uuid = tcg.includes('<uuid>') ? '' : '<uuid>5d0f1c52-3a3f-4b0e-9a55-2f6f0f9b7c11</uuid>';
  return tcg.replace(/<name>/, `${memory}${uuid}<name>`);
}

/** The order of elements may differ: libvirt puts the controllers that it adds first, and keeps those that it reads. */
function sameHardware(a: string, b: string): boolean {
  const sorted = (xml: string) => [...dumpedAddresses(xml)].toSorted();
  return isDeepStrictEqual(sorted(a), sorted(b));
}

describe.skipIf(missing !== undefined)('taking edits back from a document that libvirt has rewritten', () => {
  let libvirt: LibvirtOracle;
  let host: HostCapabilities;
  let inventory: Awaited<ReturnType<typeof corpusInventory>>;
  beforeAll(async () => {
    libvirt = await LibvirtOracle.start();
    host = await probeHost({ emulator: '/usr/bin/qemu-system-x86_64', sysfs: '/sys' });
    inventory = await corpusInventory();
  }, 60_000);
  afterAll(() => libvirt.close());

  const edited = (xml: string, mechanism: 'conventional-bus' | 'i440fx' = 'conventional-bus') =>
    decideAbout(xml, { policy: forcing(mechanism), host, inventory });

  async function defined(xml: string): Promise<string> {
    const answer = await libvirt.define(xml);
    if (!answer.ok) throw new Error(answer.error);
    return answer.xml;
  }

  /** What libvirt makes of the document after it was edited, defined, restored and defined again. */
  async function roundTrip(xml: string): Promise<string> {
    const restoration = restorePlacement(await defined(edited(xml).xml));
    expect(restoration.outcome).toBe('restored');
    return defined((restoration as { xml: string }).xml);
  }

  it.each([
    ['one device without addresses', domain(DISK + NIC + GPU)],
    ['two devices behind one bridge', domain(DISK + NIC + GPU + NVME)],
    ['a device among others', domain(GPU + DISK + NVME + NIC + "<memballoon model='none'/>")],
    [
      'devices with addresses',
      domain(
        NIC +
          hostdev(
            '0000:65:00.0',
            "<address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>",
          ),
      ),
    ],
    [
      'a device directly on the root bus',
      domain(
        hostdev(
          '0000:65:00.0',
          "<address type='pci' domain='0x0000' bus='0x00' slot='0x09' function='0x0'/>",
        ),
      ),
    ],
    [
      'a domain with metadata of others',
      domain(GPU).replace('<devices>', "<metadata><o:x xmlns:o='other'/></metadata><devices>"),
    ],
  ])('gives %s the hardware that the original would have had', async (_, text) => {
    const original = fixed(text);
    const addresses = (xml: string) => new Map(dumpedAddresses(xml));
    const restored = await roundTrip(original);
    expect(addresses(restored)).toEqual(addresses(await defined(original)));
    expect(restored).not.toContain('vfio-warden');
  });

  it('does so for every document of the corpus that a bridge can be put into', async () => {
    const directories = [FIXTURES, ...(CORPUS !== undefined && existsSync(CORPUS) ? [CORPUS] : [])];
    const files = directories.flatMap((directory) =>
      readdirSync(directory)
        .filter((name) => name.endsWith('.xml') && name !== 'no-such-element.xml')
        .map((name) => join(directory, name)),
    );
    const tally = { equal: 0, differs: [] as string[], kept: [] as string[] };
    for (const file of files) {
      const original = fixed(readFileSync(file, 'utf8'));
      const before = await libvirt.define(original);
      if (!before.ok) continue;
      // Defined once, so that what libvirt makes up (a MAC address) is the same both times.
      const { decision, xml } = edited(before.xml);
      if (decision.edits.length === 0) continue;
      const restoration = restorePlacement(await defined(xml));
      if (restoration.outcome !== 'restored') tally.kept.push(`${file}: ${JSON.stringify(restoration)}`);
      else if (sameHardware(await defined(restoration.xml), before.xml)) tally.equal += 1;
      else tally.differs.push(file);
    }
    expect(tally).toMatchObject({ differs: [], kept: [] });
    expect(tally.equal).toBeGreaterThan(5);
  }, 120_000);

  it('keeps what others changed since', async () => {
    const original = fixed(domain(DISK + GPU));
    const changed = (await defined(edited(original).xml)).replace(
      '</devices>',
      "<sound model='ich9'/></devices>",
    );
    const restoration = restorePlacement(await defined(changed));
    expect(restoration).toMatchObject({ outcome: 'restored' });
    const after = await defined((restoration as { xml: string }).xml);
    expect(after).toContain("<sound model='ich9'>");
    expect(after).not.toMatch(/pcie-to-pci-bridge|vfio-warden/);
  });

  it('leaves alone a domain where something else has moved onto the bridge', async () => {
    const dump = await defined(edited(fixed(domain(GPU))).xml);
    const bus = /index='(\d+)' model='pcie-to-pci-bridge'/.exec(dump)![1]!;
    const guest = `<address type='pci' domain='0' bus='${bus}' slot='5' function='0'/>`;
    const changed = dump.replace('</devices>', `<sound model='ich6'>${guest}</sound></devices>`);
    expect(restorePlacement(changed)).toMatchObject({
      outcome: 'kept',
      reason: expect.stringMatching(/sits on bridge \d+: sound ich6/),
    });
  });

  it('leaves alone a domain where another device has taken the earlier place', async () => {
    const at = "<address type='pci' domain='0x0000' bus='0x05' slot='0x00' function='0x0'/>";
    const dump = await defined(edited(fixed(domain(hostdev('0000:65:00.0', at)))).xml);
    // Put back by hand, and the bridge elsewhere: then a NIC takes the place.
    const moved = dump
      .replace(/(model='pcie-to-pci-bridge'>[^]*?<address [^>]*bus=')0x05/, '$10x04')
      .replace('</devices>', `<interface type='user'><model type='virtio'/>${at}</interface></devices>`);
    expect(restorePlacement(moved)).toMatchObject({
      outcome: 'kept',
      reason: expect.stringMatching(/guest address that another has/),
    });
  });

  it('says that a change of the machine type cannot be taken back', async () => {
    const dump = await defined(edited(fixed(domain(GPU)), 'i440fx').xml);
    expect(restorePlacement(dump)).toMatchObject({
      outcome: 'kept',
      reason: expect.stringMatching(/machine type/),
    });
  });

  it('leaves a domain without edits as it is, and refuses a damaged record', async () => {
    const original = fixed(domain(GPU));
    expect(restorePlacement(original)).toEqual({ outcome: 'untouched' });
    const hostile = edited(original).xml.replace(/"earlier":null/, '"earlier":"&lt;evil/&gt;"');
    expect(restorePlacement(hostile)).toMatchObject({
      outcome: 'kept',
      reason: expect.stringMatching(/damaged/),
    });
  });

  it('takes the config filter out, whether or not the guest has run', async () => {
    const rest =
      "<qemu:commandline><qemu:env name='LD_PRELOAD' value='/usr/lib/other.so'/><qemu:arg value='-name'/></qemu:commandline>";
    for (const [filterHost, original] of [
      [FILTER_HOST, domain(DISK + GPU)],
      [PRELOAD_HOST, domain(DISK + GPU)],
      [PRELOAD_HOST, domain(DISK + GPU, 'q35', rest)],
    ] as const) {
      const { xml } = decideAbout(original, {
        policy: forcing('qemu-config-filter'),
        host: { ...host, qemuConfigFilter: filterHost.qemuConfigFilter },
        inventory,
      });
      expect(xml).not.toBe(original);
      const restoration = restorePlacement(await defined(fixed(xml)));
      expect(restoration).toMatchObject({ outcome: 'restored', guestSees: false });
      const { xml: restored } = restoration as { xml: string };
      expect(await defined(restored)).toBe(await defined(fixed(original)));
    }
  });
});
