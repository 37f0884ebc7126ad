import { access } from 'node:fs/promises';
import { Inventory } from '../pci/inventory.js';
import { readInventoryDocument, writeInventoryFile } from '../pci/inventory-file.js';
import type { PciFunction } from '../pci/pci-function.js';

/**
 * Keeps the last inventory in a file, so that config space that cannot be read now, because a VM holds the device, is
 * still known from the time before.
 */
export class InventoryMemory {
  private last: Inventory | undefined;

  constructor(
    private readonly file: string,
    private readonly host: string,
  ) {}

  /**
   * Completes a reading by what was known, and keeps the result. What goes wrong with the file is no reason to be
   * without an inventory: the reading alone serves then, and the problem is passed on.
   */
  async complete(reading: Inventory, now: Date): Promise<{ inventory: Inventory; problem?: Error }> {
    let problem: Error | undefined;
    try {
      this.last ??= await this.recall();
    } catch (error) {
      problem = error as Error;
    }
    const known = this.last;
    const inventory = known === undefined ? reading : completeInventory(reading, known);
    this.last = inventory;
    if (inventory.revision === known?.revision) return { inventory };
    try {
      await writeInventoryFile(this.file, { host: this.host, takenAt: now.toISOString(), inventory });
    } catch (error) {
      problem ??= error as Error;
    }
    return { inventory, ...(problem !== undefined && { problem }) };
  }

  private async recall(): Promise<Inventory | undefined> {
    const present = await access(this.file).then(
      () => true,
      () => false,
    );
    return present ? (await readInventoryDocument(this.file)).inventory : undefined;
  }
}

/** The reading, with config space from `known` where the reading has none of the very same function. */
export function completeInventory(reading: Inventory, known: Inventory): Inventory {
  return Inventory.of(reading.functions.map((fn) => completed(fn, known.get(fn.bdf))));
}

function completed(fn: PciFunction, known: PciFunction | undefined): PciFunction {
  if (fn.configSpace !== undefined || known?.configSpace === undefined || !isSame(fn, known)) return fn;
  const { configSpace, configSize, express } = known;
  return {
    ...fn,
    configSpace,
    ...(configSize !== undefined && { configSize }),
    ...(express !== undefined && { express }),
  };
}

/** Another device in the same slot has other registers. */
function isSame(fn: PciFunction, known: PciFunction): boolean {
  const ids = [
    'vendor',
    'device',
    'subsystemVendor',
    'subsystemDevice',
    'revision',
    'class',
    'kind',
  ] as const;
  return ids.every((id) => fn[id] === known[id]);
}
