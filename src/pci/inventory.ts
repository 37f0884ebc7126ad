import { createHash } from 'node:crypto';
import { LocatedError } from '../located-error.js';
import { sameSlot, type Bdf } from './bdf.js';
import type { PciFunction } from './pci-function.js';

/** The PCI functions of one host at one time. It does not change; a new reading is a new inventory. */
export class Inventory {
  /** In the order of their addresses. */
  readonly functions: readonly PciFunction[];
  private readonly byBdf: ReadonlyMap<Bdf, PciFunction>;
  private cachedRevision: string | undefined;

  private constructor(functions: PciFunction[]) {
    this.functions = functions;
    this.byBdf = new Map(functions.map((fn) => [fn.bdf, fn]));
  }

  /**
   * Takes copies of the functions, in any order.
   *
   * @throws LocatedError where two have the same address
   */
  static of(functions: Iterable<PciFunction>): Inventory {
    const sorted = Array.from(functions, frozenCopy).toSorted(byAddress);
    for (const [index, fn] of sorted.entries()) {
      if (fn.bdf === sorted[index - 1]?.bdf) {
        throw new LocatedError('the function is listed twice', fn.bdf, 'List each function once.');
      }
    }
    return new Inventory(sorted);
  }

  get(bdf: Bdf): PciFunction | undefined {
    return this.byBdf.get(bdf);
  }

  /** All functions of the slot that `bdf` is in, itself included: the functions of one multi-function device. */
  functionsOfSlot(bdf: Bdf): PciFunction[] {
    return this.functions.filter((fn) => sameSlot(fn.bdf, bdf));
  }

  virtualFunctionsOf(physicalFunction: Bdf): PciFunction[] {
    return this.functions.filter((fn) => fn.physicalFunction === physicalFunction);
  }

  /** The members of an IOMMU group: what VFIO can only give away together. */
  iommuGroup(group: number): PciFunction[] {
    return this.functions.filter((fn) => fn.iommuGroup === group);
  }

  /**
   * SHA-256 (64 hexadecimal digits) of everything the inventory says, whatever order it was given in. Config space
   * holds status bits, so two readings of the same host may differ.
   */
  get revision(): string {
    this.cachedRevision ??= createHash('sha256')
      .update(JSON.stringify(this.functions.map(canonical)))
      .digest('hex');
    return this.cachedRevision;
  }
}

function frozenCopy(fn: PciFunction): PciFunction {
  const copy = { ...fn, resetMethods: [...fn.resetMethods] };
  Object.freeze(copy.resetMethods);
  // The bytes themselves cannot be frozen: a copy of one's own is the best there is.
  if (copy.configSpace) copy.configSpace = Uint8Array.from(copy.configSpace);
  return Object.freeze(copy);
}

/** Fields in one fixed order; what is absent is null, so that no two contents look the same. */
function canonical(fn: PciFunction): unknown[] {
  return [
    fn.bdf,
    fn.vendor,
    fn.device,
    fn.subsystemVendor ?? null,
    fn.subsystemDevice ?? null,
    fn.revision,
    fn.class,
    fn.kind,
    fn.physicalFunction ?? null,
    fn.driver ?? null,
    fn.iommuGroup ?? null,
    fn.resetMethods,
    fn.express ?? null,
    fn.configSize ?? null,
    fn.configSpace ? Buffer.from(fn.configSpace).toString('base64') : null,
  ];
}

function byAddress(a: PciFunction, b: PciFunction): number {
  return a.bdf < b.bdf ? -1 : a.bdf > b.bdf ? 1 : 0;
}
