import { readDomain } from '../../src/domain-xml/domain-document.js';
import { appendChild } from '../../src/domain-xml/insertion.js';
import { applySplices } from '../../src/domain-xml/splice.js';
import { LocatedError } from '../../src/located-error.js';
import type { Define } from './check-document.js';

/** An NVMe controller, a GPU with its audio function, and a NIC of the fixture inventory. */
const ASSIGNED = [
  ['0x81', '0x0'],
  ['0xaf', '0x0'],
  ['0xaf', '0x1'],
  ['0x3b', '0x0'],
];

/**
 * A document as it is, and, since few documents of a corpus have assigned devices: q35 domains with four more, and these
 * once more as libvirt expands and reformats them.
 */
export async function variantsOf(text: string, define: Define | undefined): Promise<Map<string, string>> {
  const variants = new Map([['as it is', text]]);
  const assigned = withAssignedDevices(text);
  if (assigned === undefined) return variants;
  variants.set('with four devices assigned', assigned);
  const expanded = await define?.(assigned);
  if (expanded?.ok) variants.set('with four devices assigned, expanded by libvirt', expanded.xml);
  return variants;
}

function withAssignedDevices(text: string): string | undefined {
  try {
    const { machine, devices } = readDomain(text);
    if (machine.family !== 'q35' || !devices) return undefined;
    const lines = ASSIGNED.flatMap(([bus, fn]) => [
      "<hostdev mode='subsystem' type='pci' managed='yes'>",
      `  <source><address domain='0x0000' bus='${bus}' slot='0x00' function='${fn}'/></source>`,
      '</hostdev>',
    ]);
    return applySplices(text, [appendChild(text, devices, lines)]);
  } catch (error) {
    if (error instanceof LocatedError) return undefined;
    throw error;
  }
}
