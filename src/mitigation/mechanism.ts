import type { AssignedDevice } from '../domain-xml/assigned-devices.js';
import type { DomainDocument } from '../domain-xml/domain-document.js';
import type { MachineFamily } from '../domain-xml/machine.js';
import type { HostCapabilities } from '../host/host-capabilities.js';
import type { PciFunction } from '../pci/pci-function.js';

/**
 * The mechanisms, least disruptive first: what changes nothing of the VM, then what changes how QEMU runs, then what
 * changes the guest's hardware, and at last the refusal.
 */
export const MECHANISMS = [
  'kernel-guard',
  'kernel-parameters',
  'qemu-config-filter',
  'conventional-bus',
  'i440fx',
  'deny',
] as const;

export type MechanismName = (typeof MECHANISMS)[number];

/** The config filter reaches QEMU in two ways, which do not close the same exposures. */
export type MechanismColumn =
  'kernel-guard' | 'kernel-parameters' | 'filter-property' | 'filter-preload' | 'conventional-bus' | 'i440fx';

/** What using a mechanism changes of the guest's hardware. */
export type GuestChange = 'none' | 'topology' | 'machine';

/** What a mechanism may look at to say whether it is to be had for a device. */
export interface MechanismContext {
  host: HostCapabilities;
  document: DomainDocument;
  /** The machine that the domain will have on this host. */
  family: MachineFamily;
  device: AssignedDevice;
  function: PciFunction | undefined;
}

export interface Availability {
  available: boolean;
  /** The proof, or what is missing and why. */
  detail: string;
}

/** Bytes of config space, both ends included: 0 to 0xfff. */
export interface ByteRange {
  from: number;
  to: number;
}

/**
 * How far a mechanism can spare registers that a device's driver needs.
 * - `range`: leaves just these bytes open
 * - `outside`: cannot spare any, but takes away only what lies from 0x100 on
 * - `device`: all of the device or nothing
 */
export type ExemptionGrain = 'range' | 'outside' | 'device';

/** What a mechanism states about itself; the planner knows no more about it. */
export interface Mechanism {
  name: MechanismName;
  guestChange: GuestChange;
  exemptionGrain: ExemptionGrain;
  /** What its use costs, as an operator would want to know it beforehand. */
  price: string;
  column(context: Pick<MechanismContext, 'host' | 'document'>): MechanismColumn;
  availability(context: MechanismContext): Availability;
  /** Whether reads of what it closes pass, although policy asks for them to be closed; absent: they can be closed. */
  passesReads?(context: Pick<MechanismContext, 'host'>): boolean;
}
