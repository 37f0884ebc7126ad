import { attribute, childNamed, childrenNamed, type XmlElement } from '../../src/domain-xml/xml-reader.js';
import { readDomain } from '../../src/domain-xml/domain-document.js';
import { readPciAddress, type PciAddress } from '../../src/domain-xml/pci-address.js';
import type { MachineFamily } from '../../src/domain-xml/machine.js';

/** A bridge as the guest's firmware would program it. */
export interface ProgrammedBridge {
  /** Bus, slot and function of the bridge, by the numbers that this programming gives. */
  bus: number;
  slot: number;
  function: number;
  secondary: number;
  subordinate: number;
}

export interface GuestDevice {
  bus: number;
  slot: number;
  function: number;
  /** What libvirt calls the device, for QEMU's monitor. */
  alias: string;
}

/** The buses of a guest whose firmware has not run: which bridge to give which numbers, and where the devices then are. */
export interface GuestBuses {
  family: MachineFamily;
  /** Parents before their children. */
  bridges: readonly ProgrammedBridge[];
  /** Assigned devices by the host's BDF. */
  devices: ReadonlyMap<string, GuestDevice>;
}

interface Controller {
  index: number;
  address: PciAddress;
}

/** Numbers the buses of a running domain depth first, as firmware does. */
export function guestBuses(liveXml: string): GuestBuses {
  const document = readDomain(liveXml);
  const elements = document.devices ? childrenNamed(document.devices, 'controller') : [];
  const controllers = elements.flatMap((element) => controllerOf(element, liveXml) ?? []);
  const numbers = new Map([[0, 0]]);
  const bridges: ProgrammedBridge[] = [];
  let last = 0;
  const descend = (index: number): void => {
    for (const { index: below, address } of controllers.filter(({ address }) => address.bus === index)) {
      last += 1;
      const { slot, function: fn } = address;
      const bridge = { bus: numbers.get(index)!, slot, function: fn, secondary: last, subordinate: last };
      numbers.set(below, last);
      bridges.push(bridge);
      descend(below);
      bridge.subordinate = last;
    }
  };
  descend(0);

  const devices = new Map<string, GuestDevice>();
  for (const { source, guestAddress, element } of document.assignedDevices) {
    if (source === undefined || !guestAddress) continue;
    const alias = attribute(childNamed(element, 'alias')!, 'name')!;
    const { slot, function: fn } = guestAddress;
    devices.set(source, { bus: numbers.get(guestAddress.bus)!, slot, function: fn, alias });
  }
  return { family: document.machine.family, bridges, devices };
}

function controllerOf(element: XmlElement, text: string): Controller | undefined {
  const address = childNamed(element, 'address');
  if (attribute(element, 'type') !== 'pci' || !address) return undefined;
  return { index: Number(attribute(element, 'index')), address: readPciAddress(address, text) };
}
