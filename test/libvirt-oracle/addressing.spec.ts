import { existsSync, readdirSync, readFileSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { assignPciAddresses, type CertainPlan } from '../../src/domain-xml/addressing/address-plan.js';
import type { HostKnowledge } from '../../src/domain-xml/addressing/connect-flags.js';
import { descend, attribute, readXml } from '../../src/domain-xml/xml-reader.js';
import { formatBdf } from '../../src/pci/bdf.js';
import { generateDomain } from './domain-generator.js';
import { dumpedAddresses } from './dumped-addresses.js';
import { LibvirtOracle, libvirtMissing } from './libvirt-oracle.js';

const missing = libvirtMissing();
if (missing) console.warn(`the address model is not compared with libvirt: ${missing}`);

/** A folder of domain documents; libvirt's own test data (tests/qemuxml2*) is a good one. */
const CORPUS =
  process.env['CORPUS_DIR'] ?? fileURLToPath(new URL('../../../shared/corpus/libvirt-xml', import.meta.url));
/** How many domains to generate. */
const GENERATED = Number(process.env['ORACLE_DOMAINS'] ?? 400);
const FIRST_SEED = Number(process.env['ORACLE_SEED'] ?? 1);

/** The oracle's host: no host functions by the generated names, no networks, a QEMU with everything. */
const HOST: HostKnowledge = {
  isExpress: () => undefined,
  forwardsHostdev: () => false,
  hasDevice: () => true,
};

const SYSFS = '/sys/bus/pci/devices';

/** `virPCIDeviceIsPCIExpress`: a PCI Express capability (id 0x10), or a config space of another size than 256 bytes. */
function isExpress(source: string): boolean | undefined {
  const path = join(SYSFS, source, 'config');
  if (!existsSync(path)) return undefined;
  const config = readFileSync(path);
  const hasList = (config[0x06]! & 0x10) !== 0;
  for (
    let at = hasList ? config[0x34]! : 0, hops = 0;
    at >= 0x40 && hops < 48;
    at = config[at + 1]!, hops++
  ) {
    if (config[at] === 0x10) return true;
  }
  return statSync(path).size !== 256;
}

interface Tally {
  refused: number;
  foreign: number;
  equal: number;
  uncertain: Map<string, number>;
  wrong: string[];
}

function planned(plan: CertainPlan): Map<string, string> {
  const addresses = new Map<string, string>();
  for (const { key, address } of plan.devices) if (address) addresses.set(key, formatBdf(address));
  for (const { index, model } of plan.controllers) addresses.set(`model of controller:pci:${index}`, model);
  return addresses;
}

function differences(model: Map<string, string>, libvirt: Map<string, string>): string[] {
  return [...new Set([...model.keys(), ...libvirt.keys()])]
    .filter((key) => model.get(key) !== libvirt.get(key))
    .map((key) => `${key}: model ${model.get(key)}, libvirt ${libvirt.get(key)}`);
}

describe.skipIf(missing)('guest PCI addresses, against the real libvirt', () => {
  let oracle: LibvirtOracle;

  beforeAll(async () => {
    oracle = await LibvirtOracle.start();
  });
  afterAll(() => oracle?.close());

  async function compare(documents: Iterable<[name: string, xml: string]>, host = HOST): Promise<Tally> {
    const tally: Tally = { refused: 0, foreign: 0, equal: 0, uncertain: new Map(), wrong: [] };
    for (const [name, xml] of documents) {
      const answer = await oracle.define(xml, name);
      if (!answer.ok) {
        tally.refused += 1;
        continue;
      }
      const arch = attribute(descend(readXml(answer.xml), 'os', 'type'), 'arch');
      if (arch !== 'x86_64' && arch !== 'i686') {
        tally.foreign += 1;
        continue;
      }
      const plan = assignPciAddresses(readXml(xml), host);
      if (!plan.certain) {
        const reason = plan.reasons.join('; ');
        tally.uncertain.set(reason, (tally.uncertain.get(reason) ?? 0) + 1);
        continue;
      }
      const found = differences(planned(plan), dumpedAddresses(answer.xml));
      if (found.length === 0) tally.equal += 1;
      else tally.wrong.push(`${name}: ${found.slice(0, 5).join('; ')}`);
    }
    console.info(
      `${tally.equal} as libvirt, ${tally.wrong.length} not, refused by libvirt ${tally.refused}, other architectures ${tally.foreign}, uncertain:`,
      Object.fromEntries(tally.uncertain),
    );
    return tally;
  }

  it('are predicted for generated domains', { timeout: 300_000 }, async () => {
    const seeds = Array.from({ length: GENERATED }, (_, at) => FIRST_SEED + at);
    const tally = await compare(seeds.map((seed) => [`seed ${seed}`, generateDomain(seed)]));
    expect(tally.wrong).toEqual([]);
    // A generator that libvirt refuses, or a model that never commits itself, would prove nothing.
    expect(tally.equal).toBeGreaterThan(GENERATED / 2);
  });

  describe.skipIf(!existsSync(CORPUS))('for a corpus of domains', () => {
    const files = existsSync(CORPUS) ? readdirSync(CORPUS).filter((name) => name.endsWith('.xml')) : [];
    const read = (name: string) => readFileSync(join(CORPUS, name), 'utf8');
    const isDomain = (xml: string) => /<domain[\s>]/.test(xml) && !/<!DOCTYPE/.test(xml);

    it('are predicted', { timeout: 300_000 }, async () => {
      const documents = files.map((name): [string, string] => [name, read(name)]);
      const tally = await compare(documents.filter(([, xml]) => isDomain(xml)));
      expect(tally.wrong).toEqual([]);
    });

    it('are predicted once the addresses are taken out', { timeout: 300_000 }, async () => {
      const stripped = files.map((name): [string, string] => [
        `${name} without addresses`,
        read(name).replaceAll(/<address type=['"]pci['"][^>]*\/>/g, ''),
      ]);
      const tally = await compare(stripped.filter(([, xml]) => isDomain(xml)));
      expect(tally.wrong).toEqual([]);
    });
  });

  const functions = existsSync(SYSFS) ? readdirSync(SYSFS).slice(0, 8) : [];

  it.skipIf(functions.length === 0)('are predicted for functions that this host has', async () => {
    const hostdevs = functions.map((name) => {
      const [domain, bus, slot, fn] = name.split(/[:.]/);
      return `<hostdev mode='subsystem' type='pci'><source><address domain='0x${domain}' bus='0x${bus}' slot='0x${slot}' function='${fn}'/></source></hostdev>`;
    });
    const xml = `<domain type='qemu'><name>host</name><memory>65536</memory><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>${hostdevs.join('')}</devices></domain>`;
    const tally = await compare([['functions of this host', xml]], {
      ...HOST,
      isExpress,
    });
    expect(tally).toMatchObject({ equal: 1, wrong: [] });
  });

  it('reads well-formedness from libxml2', async () => {
    expect(await oracle.wellFormed('<a><b/></a>')).toBe(true);
    expect(await oracle.wellFormed('<a><b></a>')).toBe(false);
  });
});
