import 'reflect-metadata';
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { UNPROBED_HOST } from '../../src/host/host-capabilities.js';
import { probeHost } from '../../src/host/probe-host.js';
import { readRiskDirectory } from '../../src/risk/risk-loader.js';
import { decodeXml } from '../../src/domain-xml/xml-reader.js';
import { LibvirtOracle, libvirtMissing } from '../libvirt-oracle/libvirt-oracle.js';
import { checkDocument, type Outcome } from './check-document.js';
import { corpusInventory } from './corpus-inventory.js';
import { variantsOf } from './variants.js';

const directories = process.argv.slice(2).filter((argument) => !argument.startsWith('--'));
if (directories.length === 0) {
  console.error('usage: npm run corpus -- DIR... [--no-libvirt] [--verbose]');
  process.exit(2);
}
const verbose = process.argv.includes('--verbose');
const missing = process.argv.includes('--no-libvirt') ? 'switched off' : libvirtMissing();
const oracle = missing === undefined ? await LibvirtOracle.start() : undefined;

const probed = await probeHost({ emulator: '/usr/bin/qemu-system-x86_64', sysfs: '/sys' });
const basis = {
  inventory: await corpusInventory(),
  host: {
    ...UNPROBED_HOST,
    ...probed,
    // What becomes of the document is looked at here, not whether the library is installed.
    qemuConfigFilter: {
      property: { state: 'absent' as const, detail: 'not looked for' },
      preload: { state: 'ready' as const, detail: 'taken to be there' },
    },
  },
  risks: await readRiskDirectory('policies/risks'),
  hostMode: 'enforce' as const,
};

const files = directories.flatMap((directory) =>
  readdirSync(directory)
    .filter((name) => name.endsWith('.xml'))
    .toSorted()
    .map((name) => join(directory, name)),
);
const outcomes: Outcome[] = [];
const failed: string[] = [];
for (const file of files) {
  let failures: string[];
  try {
    // Without KVM libvirt refuses every `kvm` domain for that alone, and nothing would be compared.
    const text = withoutKvm(decodeXml(readFileSync(file)));
    const define = oracle && ((xml: string) => oracle.define(xml, file));
    failures = [];
    for (const [variant, document] of await variantsOf(text, define)) {
      const outcome = await checkDocument(document, basis, define);
      outcomes.push(outcome);
      failures.push(...outcome.failures.map((failure) => `${variant}: ${failure}`));
      if (!verbose) continue;
      for (const [mechanism, reason] of outcome.refused)
        console.log(`# ${file}, ${variant}: ${mechanism}: ${reason}`);
    }
  } catch (error) {
    // A refusal of the document itself was compared with libvirt's; any other, of an undo or a second pass, is a failure.
    failures = [error instanceof Error ? (error.stack ?? error.message) : String(error)];
  }
  if (failures.length === 0) continue;
  failed.push(file);
  for (const failure of failures) console.log(`${file}: ${failure}`);
}
oracle?.close();

const count = (test: (outcome: Outcome) => boolean) => outcomes.filter(test).length;
const sum = (of: (outcome: Outcome) => number) => outcomes.reduce((total, outcome) => total + of(outcome), 0);
console.log(
  `# ${files.length} files in ${outcomes.length} variants: ${count(({ assignedDevices }) => assignedDevices > 0)} with assigned devices, ` +
    `${count(({ rewrittenBy }) => rewrittenBy.includes('conventional-bus'))} rewritten by conventional-bus, ` +
    `${count(({ rewrittenBy }) => rewrittenBy.includes('i440fx'))} by i440fx, ` +
    `${count(({ rewrittenBy }) => rewrittenBy.includes('qemu-config-filter'))} by qemu-config-filter, ` +
    `${count(({ refusedByUs }) => refusedByUs)} refused by us`,
);
console.log(
  oracle
    ? `# libvirt defines ${count(({ definedByLibvirt }) => definedByLibvirt === true)} of them; ${sum(({ compared }) => compared)} rewrites ` +
        `compared, ${sum(({ moved }) => moved)} of those by conventional-bus move another device (none a NIC or disk)`
    : `# not compared with libvirt: ${missing}`,
);
console.log(`${files.length - failed.length} passed, ${failed.length} failed`);
process.exit(failed.length === 0 ? 0 : 1);

function withoutKvm(text: string): string {
  return existsSync('/dev/kvm') ? text : text.replace(/(<domain\b[^>]*\btype=["'])kvm(["'])/, '$1qemu$2');
}
