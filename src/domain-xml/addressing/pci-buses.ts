import type { PciAddress } from '../pci-address.js';
import { Unpredictable } from './guest-device.js';

/** What a device may be plugged into, and what a bus accepts (`virDomainPCIConnectFlags`), as bits. */
export const CONNECT = {
  /** Libvirt may choose this bus by itself. */
  autoassign: 1 << 0,
  /** Only directly on bus 0. */
  integrated: 1 << 2,
  /** Shares a slot with its like: eight root ports are one multi-function device. */
  aggregate: 1 << 3,
  pciDevice: 1 << 4,
  pcieDevice: 1 << 5,
  rootPort: 1 << 6,
  upstreamPort: 1 << 7,
  downstreamPort: 1 << 8,
  dmiToPciBridge: 1 << 9,
  pciExpander: 1 << 10,
  pcieExpander: 1 << 11,
  pciBridge: 1 << 12,
  pcieToPciBridge: 1 << 13,
} as const;

const ENDPOINTS = CONNECT.pciDevice | CONNECT.pcieDevice;
const TYPES = 0x3ff0;

const LAST_SLOT = 31;

/** `virDomainControllerDefValidate` refuses an index above 255. */
export const MAX_BUSES = 256;

interface BusModel {
  /** What can be plugged into it. */
  accepts: number;
  firstSlot: number;
  lastSlot: number;
}

const CONVENTIONAL_BUS = CONNECT.autoassign | CONNECT.pciDevice | CONNECT.pciBridge;
const PORT_BUS = CONNECT.autoassign | CONNECT.pcieDevice | CONNECT.upstreamPort | CONNECT.pcieToPciBridge;

/** What each model of PCI controller offers downstream (`virDomainPCIAddressBusSetModel`). */
const BUS_MODELS: Readonly<Record<string, BusModel>> = {
  'pci-root': { accepts: CONVENTIONAL_BUS | CONNECT.pciExpander, firstSlot: 1, lastSlot: LAST_SLOT },
  'pci-bridge': { accepts: CONVENTIONAL_BUS, firstSlot: 1, lastSlot: LAST_SLOT },
  'pci-expander-bus': { accepts: CONVENTIONAL_BUS, firstSlot: 0, lastSlot: LAST_SLOT },
  // Slot 0 belongs to the bridge's hot-plug controller.
  'pcie-to-pci-bridge': { accepts: CONVENTIONAL_BUS, firstSlot: 1, lastSlot: LAST_SLOT },
  'dmi-to-pci-bridge': {
    accepts: CONNECT.pciDevice | CONNECT.pciBridge,
    firstSlot: 0,
    lastSlot: LAST_SLOT,
  },
  'pcie-root': {
    accepts: CONNECT.pcieDevice | CONNECT.rootPort | CONNECT.dmiToPciBridge | CONNECT.pcieExpander,
    firstSlot: 1,
    lastSlot: LAST_SLOT,
  },
  'pcie-root-port': { accepts: PORT_BUS, firstSlot: 0, lastSlot: 0 },
  'pcie-switch-downstream-port': { accepts: PORT_BUS, firstSlot: 0, lastSlot: 0 },
  'pcie-switch-upstream-port': { accepts: CONNECT.downstreamPort, firstSlot: 0, lastSlot: LAST_SLOT },
  'pcie-expander-bus': {
    accepts: CONNECT.rootPort | CONNECT.dmiToPciBridge,
    firstSlot: 0,
    lastSlot: LAST_SLOT,
  },
};

class Bus {
  readonly accepts: number;
  readonly firstSlot: number;
  readonly lastSlot: number;
  /** One bit per function in use: a slot has eight. */
  readonly slots = new Uint8Array(LAST_SLOT + 1);
  /** One bit per slot whose first device shares it. */
  aggregates = 0;

  constructor(
    readonly model: string,
    accepts?: number,
  ) {
    const bus = Object.hasOwn(BUS_MODELS, model) ? BUS_MODELS[model]! : undefined;
    if (!bus) throw new Unpredictable(`PCI controller model '${model}' is not known here`);
    this.accepts = accepts ?? bus.accepts;
    this.firstSlot = bus.firstSlot;
    this.lastSlot = bus.lastSlot;
  }

  isFull(): boolean {
    for (let slot = this.firstSlot; slot <= this.lastSlot; slot++) {
      if (this.slots[slot] === 0) return false;
    }
    return true;
  }
}

function refuses(address: PciAddress, why: string): never {
  throw new Unpredictable(
    `libvirt would refuse the PCI address bus ${address.bus}, slot ${address.slot}, function ${address.function}: ${why}`,
  );
}

/**
 * The buses of a guest and which of their functions are taken: libvirt's `virDomainPCIAddressSet`, without isolation
 * groups (pSeries only) and zPCI (s390 only).
 */
export class PciBuses {
  private readonly buses: Bus[] = [];

  constructor(
    /** Whether buses may be added: libvirt's first pass, its dry run. */
    private readonly mayGrow: boolean,
    /** Whether QEMU has `pcie-pci-bridge`; where it has not, libvirt builds on `dmi-to-pci-bridge`. */
    private readonly hasPcieToPciBridge: () => boolean,
  ) {}

  get count(): number {
    return this.buses.length;
  }

  modelOf(bus: number): string {
    return this.buses[bus]!.model;
  }

  hasRoom(): boolean {
    return this.buses.some((bus) => !bus.isFull());
  }

  addBus(model: string): void {
    this.push(new Bus(model));
  }

  isSlotTaken(bus: number, slot: number): boolean {
    return this.buses[bus]!.slots[slot] !== 0;
  }

  /**
   * Takes an address that the document or the chipset prescribes (`virDomainPCIAddressReserveAddr`). May raise
   * `address.bus` where a bridge had to be added in front of it, as libvirt does.
   */
  reserve(address: PciAddress, flags: number): void {
    this.reserveAs(address, flags, true);
  }

  /**
   * Takes the first free place that suits (`virDomainPCIAddressReserveNextAddr`).
   *
   * @param fn the function of the slot to take; undefined for any
   */
  reserveNext(flags: number, fn?: number): PciAddress {
    const address = this.findNext(flags, fn);
    this.reserveAs(address, flags, false);
    return address;
  }

  private reserveAs(address: PciAddress, flags: number, prescribed: boolean): void {
    if (this.mayGrow) this.growFor(address, flags);
    this.check(address, flags, prescribed);
    const bus = this.buses[address.bus]!;
    const taken = bus.slots[address.slot]!;
    if (taken & (1 << address.function)) refuses(address, 'it is used twice');
    if (taken === 0 && flags & CONNECT.aggregate) bus.aggregates |= 1 << address.slot;
    bus.slots[address.slot] = taken | (1 << address.function);
  }

  /** Throws where the address does not suit its bus (`virDomainPCIAddressValidate`). */
  check(address: PciAddress, flags: number, prescribed: boolean): void {
    if (address.domain !== 0) refuses(address, 'a guest has only PCI domain 0');
    const bus = this.buses[address.bus];
    if (!bus) refuses(address, 'there is no such bus');
    if (!suits(bus, address.bus, flags, prescribed)) refuses(address, `${bus.model} does not accept it`);
    if (address.slot < bus.firstSlot || address.slot > bus.lastSlot) refuses(address, 'no such slot');
  }

  /** `virDomainPCIAddressGetNextAddr` */
  private findNext(flags: number, fn: number | undefined): PciAddress {
    for (const [index, bus] of this.buses.entries()) {
      if (!suits(bus, index, flags, false)) continue;
      for (let slot = bus.firstSlot; slot <= bus.lastSlot; slot++) {
        const free = freeFunction(bus, slot, flags, fn);
        if (free !== undefined) return { domain: 0, bus: index, slot, function: free };
      }
    }
    const address = { domain: 0, bus: this.buses.length, slot: 0, function: fn ?? 0 };
    if (!this.mayGrow) refuses(address, 'there are no more free slots');
    this.growFor(address, flags);
    address.slot = this.buses[address.bus]!.firstSlot;
    return address;
  }

  /** Adds the buses that `address` needs (`virDomainPCIAddressSetGrow`); may move it one bus up, behind a new bridge. */
  private growFor(address: PciAddress, flags: number): void {
    let missing = address.bus - this.buses.length + 1;
    if (missing <= 0) return;
    if (flags & CONNECT.pciDevice) {
      const needsBridge = !this.buses.some((bus) => bus.accepts & CONNECT.pciBridge);
      // The bridge is a bus too: where only one was wanted the device goes to the next.
      if (needsBridge && missing === 1) {
        missing += 1;
        address.bus += 1;
      }
      const end = this.buses.length + missing;
      if (needsBridge && this.hasPcieToPciBridge()) {
        // Nothing but the bridge may be plugged into this port, not even by the reserve for hot-plug.
        this.push(new Bus('pcie-root-port', CONNECT.pcieToPciBridge));
        this.addBus('pcie-to-pci-bridge');
      } else if (needsBridge) {
        this.addBus('dmi-to-pci-bridge');
      }
      while (this.buses.length < end) this.addBus('pci-bridge');
    } else if (flags & (CONNECT.pcieDevice | CONNECT.upstreamPort)) {
      for (; missing > 0; missing--) this.addBus('pcie-root-port');
    } else {
      refuses(address, 'no bus can be added for it');
    }
  }

  private push(bus: Bus): void {
    if (this.buses.length >= MAX_BUSES) {
      throw new Unpredictable(`libvirt would refuse more than ${MAX_BUSES} PCI controllers`);
    }
    this.buses.push(bus);
  }
}

/** `virDomainPCIAddressFlagsCompatible` */
function suits(bus: Bus, index: number, flags: number, prescribed: boolean): boolean {
  let accepts = bus.accepts;
  let wants = flags;
  if (flags & CONNECT.integrated) {
    if (index !== 0) return false;
    accepts |= CONNECT.autoassign;
  }
  if (prescribed) {
    // A person may put a conventional device into an Express slot and the reverse.
    if (accepts & ENDPOINTS) accepts |= ENDPOINTS;
    if (wants & CONNECT.pciBridge) wants |= CONNECT.pciDevice;
  } else if (wants & CONNECT.autoassign && !(accepts & CONNECT.autoassign)) {
    return false;
  }
  return (wants & accepts & TYPES) !== 0;
}

/** `virDomainPCIAddressFindUnusedFunctionOnBus`, for one slot */
function freeFunction(bus: Bus, slot: number, flags: number, fn: number | undefined): number | undefined {
  const taken = bus.slots[slot]!;
  if (taken === 0) return fn ?? 0;
  if (!(flags & CONNECT.aggregate) || !(bus.aggregates & (1 << slot))) return undefined;
  if (fn !== undefined) return taken & (1 << fn) ? undefined : fn;
  for (let candidate = 0; candidate < 8; candidate++) {
    if (!(taken & (1 << candidate))) return candidate;
  }
  return undefined;
}
