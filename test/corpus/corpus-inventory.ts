import { Inventory } from '../../src/pci/inventory.js';
import { readInventoryFile } from '../../src/pci/inventory-file.js';
import { readSysfsInventory } from '../../src/pci/sysfs-inventory.js';

/**
 * The fixture inventory, and over it what this machine really has: libvirt looks at the real functions when it places a
 * device, so a fixture by the same address would mislead the comparison.
 */
export async function corpusInventory(): Promise<Inventory> {
  const fixture = await readInventoryFile('test/fixtures/inventory/node.json');
  const { functions } = await readSysfsInventory({ root: '/sys' });
  const real = new Set(functions.map(({ bdf }) => bdf));
  return Inventory.of([...fixture.functions.filter(({ bdf }) => !real.has(bdf)), ...functions]);
}
