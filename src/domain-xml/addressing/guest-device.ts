import type { PciAddress } from '../pci-address.js';
import type { XmlElement } from '../xml-reader.js';

/** The device elements of domain XML that can have a PCI address of their own on x86. */
export type DeviceKind =
  | 'controller'
  | 'disk'
  | 'filesystem'
  | 'hostdev'
  | 'input'
  | 'interface'
  | 'iommu'
  | 'memballoon'
  | 'memory'
  | 'rng'
  | 'serial'
  | 'shmem'
  | 'sound'
  | 'video'
  | 'vsock'
  | 'watchdog';

/** A device of the guest as libvirt holds it between reading a document and giving addresses. Changed in place. */
export interface GuestDevice {
  kind: DeviceKind;
  /** Stable over an edit that leaves this device alone: `disk:vda`, `controller:pci:3`, `hostdev:0`. */
  key: string;
  /** Absent for a device that libvirt adds by itself. */
  element?: XmlElement;
  /** What tells the bus it wants: model, type or bus, as XML writes it; empty where the document says nothing. */
  model: string;
  /** `type` of its `<address>`; undefined where it has none. */
  addressType?: string;
  /** Only with `addressType` `pci`. */
  pci?: PciAddress;
  /** Connect flags (`connect-flags.ts`): what kind of bus it wants; 0 where it is no PCI device. */
  flags: number;
}

export interface Controller extends GuestDevice {
  kind: 'controller';
  /** `pci`, `usb`, `scsi`, ... */
  type: string;
  /** Undefined until libvirt has numbered the controllers. */
  index: number | undefined;
  /** Whether it is the companion of another USB controller (`<master>`). */
  companion: boolean;
}

/** The devices in libvirt's lists (`virDomainDef`), each in libvirt's order, which is not the document's. */
export interface DeviceLists {
  disks: GuestDevice[];
  controllers: Controller[];
  filesystems: GuestDevice[];
  /** Those of `type='hostdev'` stand among the hostdevs too: the same object. */
  interfaces: GuestDevice[];
  hostdevs: GuestDevice[];
  serials: GuestDevice[];
  inputs: GuestDevice[];
  sounds: GuestDevice[];
  /** The primary one first. */
  videos: GuestDevice[];
  watchdogs: GuestDevice[];
  memballoons: GuestDevice[];
  rngs: GuestDevice[];
  shmems: GuestDevice[];
  memories: GuestDevice[];
  iommus: GuestDevice[];
  vsocks: GuestDevice[];
}

/** Thrown inside the model where it does not know what libvirt does, or knows that libvirt refuses. */
export class Unpredictable extends Error {
  override readonly name = 'Unpredictable';
}

/** `virPCIDeviceAddressIsEmpty`: the function does not count. */
function isEmpty(address: PciAddress): boolean {
  return address.domain === 0 && address.bus === 0 && address.slot === 0;
}

/** Whether libvirt has to give it an address (`virDeviceInfoPCIAddressIsWanted`). */
export function wantsPciAddress(device: GuestDevice): boolean {
  return device.addressType === undefined || (device.addressType === 'pci' && isEmpty(device.pci!));
}

/** `virDeviceInfoPCIAddressIsPresent` */
export function hasPciAddress(device: GuestDevice): boolean {
  return device.addressType === 'pci' && !isEmpty(device.pci!);
}

export function givePciAddress(device: GuestDevice, address: PciAddress): void {
  device.addressType = 'pci';
  device.pci = { ...address };
}

/** The four functions of an ICH9 USB 2 controller, which share an index and a slot (`IS_USB2_CONTROLLER`). */
const USB2_FUNCTIONS: Readonly<Record<string, number>> = {
  'ich9-uhci1': 0,
  'ich9-uhci2': 1,
  'ich9-uhci3': 2,
  'ich9-ehci1': 7,
};

/** The function of the slot that this part of a USB 2 controller takes; undefined for any other controller. */
export function usb2Function(controller: Controller): number | undefined {
  return controller.type === 'usb' ? USB2_FUNCTIONS[controller.model] : undefined;
}
