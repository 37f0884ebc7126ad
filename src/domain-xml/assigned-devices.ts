import { formatBdf, type Bdf } from '../pci/bdf.js';
import { readPciAddress, type PciAddress } from './pci-address.js';
import { findRawQemuDevices } from './qemu-arguments.js';
import { LocatedError } from '../located-error.js';
import { attribute, childNamed, childrenNamed, placesIn, type XmlElement } from './xml-reader.js';

/**
 * How the XML gives a host PCI function to the domain.
 * - `hostdev`: `<hostdev type='pci'>`
 * - `interface`: `<interface type='hostdev'>`
 * - `network`: an interface on a network that hands out functions; libvirt chooses one at start
 * - `mdev`: a mediated device; its config space is emulated by the vendor driver
 * - `nvme-disk`: `<disk type='nvme'>`, driven by QEMU itself; the guest has no path to its config space
 * - `qemu-argument`: raw QEMU arguments or properties
 */
export type Carrier = 'hostdev' | 'interface' | 'network' | 'mdev' | 'nvme-disk' | 'qemu-argument';

export interface AssignedDevice {
  carrier: Carrier;
  element: XmlElement;
  /** Line and column of the element. */
  place: string;
  /** The host function; absent where the XML does not tell (a network, a mediated device, an opaque argument). */
  source?: Bdf;
  /** For `network`: its name. For `mdev`: its UUID. For `qemu-argument`: the argument. */
  reference?: string;
  /** Where the guest sees it, if the XML says so. */
  guestAddress?: PciAddress;
  /** False for `<address type='unassigned'/>`: bound to vfio for the domain, but not plugged into the guest. */
  plugged: boolean;
  alias?: string;
}

/** More than any host has functions to give: what names more is meant to wear us out. */
export const MAX_ASSIGNED_DEVICES = 512;

/**
 * Finds every assigned device of a domain, in document order.
 *
 * @throws LocatedError where an address is none, or there are more devices than any host could give
 */
export function findAssignedDevices(domain: XmlElement, text: string): AssignedDevice[] {
  const source: Source = { text, placeOf: placesIn(text) };
  const found: AssignedDevice[] = [];
  for (const devices of childrenNamed(domain, 'devices')) {
    for (const element of devices.children) {
      found.push(...assignedByElement(element, source));
      if (found.length > MAX_ASSIGNED_DEVICES) refuseTooMany(source.placeOf(element.start));
    }
  }
  for (const raw of findRawQemuDevices(domain)) {
    if (found.length >= MAX_ASSIGNED_DEVICES) refuseTooMany(source.placeOf(raw.element.start));
    found.push({
      carrier: 'qemu-argument',
      element: raw.element,
      place: source.placeOf(raw.element.start),
      reference: raw.argument,
      plugged: true,
      ...(raw.host && { source: raw.host }),
    });
  }
  return found;
}

/**
 * Finds the assigned devices that one device element stands for, as a client sends it to attach or detach it.
 *
 * @throws LocatedError where an address is none
 */
export function findAssignedInDevice(element: XmlElement, text: string): AssignedDevice[] {
  return assignedByElement(element, { text, placeOf: placesIn(text) });
}

interface Source {
  text: string;
  placeOf: (offset: number) => string;
}

function refuseTooMany(place: string): never {
  throw new LocatedError(
    `the domain names more than ${MAX_ASSIGNED_DEVICES} host devices`,
    place,
    'No host has so many functions to give: name fewer.',
  );
}

/** The assigned devices that one device element stands for: none for most, one or (for disks with NVMe backing) more. */
function assignedByElement(element: XmlElement, source: Source): AssignedDevice[] {
  const type = attribute(element, 'type');
  if (element.name === 'hostdev') {
    // Libvirt's default mode is `subsystem`; KubeVirt leaves it out.
    if ((attribute(element, 'mode') ?? 'subsystem') !== 'subsystem') return [];
    if (type === 'pci') return [fromSource('hostdev', element, source)];
    if (type === 'mdev') return [mediated(element, source)];
    return [];
  }
  if (element.name === 'interface') {
    const sourceType = attribute(childNamed(childNamed(element, 'source'), 'address'), 'type');
    if (type === 'hostdev') return sourceType === 'usb' ? [] : [fromSource('interface', element, source)];
    const network = attribute(childNamed(element, 'source'), 'network');
    if (type === 'network' && network !== undefined) {
      const device = deviceAt('network', element, source);
      device.reference = network;
      return [device];
    }
    return [];
  }
  return element.name === 'disk' ? nvmeSources(element, element, source) : [];
}

/** What every carrier has in common. Fields are set one by one: this runs for each device of each document. */
function deviceAt(carrier: Carrier, element: XmlElement, { text, placeOf }: Source): AssignedDevice {
  const address = childNamed(element, 'address');
  const addressType = attribute(address, 'type');
  const device: AssignedDevice = {
    carrier,
    element,
    place: placeOf(element.start),
    plugged: addressType !== 'unassigned',
  };
  if (address && addressType === 'pci') {
    const { domain, bus, slot, function: fn } = readPciAddress(address, text);
    // `<address type='pci'/>` alone asks libvirt to choose (virPCIDeviceAddressIsEmpty).
    if (domain || bus || slot || fn) device.guestAddress = { domain, bus, slot, function: fn };
  }
  const alias = attribute(childNamed(element, 'alias'), 'name');
  if (alias !== undefined) device.alias = alias;
  return device;
}

function fromSource(carrier: Carrier, element: XmlElement, source: Source, layer = element): AssignedDevice {
  const device = deviceAt(carrier, element, source);
  const address = childNamed(childNamed(layer, 'source'), 'address');
  if (address) device.source = formatBdf(readPciAddress(address, source.text));
  return device;
}

function mediated(element: XmlElement, source: Source): AssignedDevice {
  const device = deviceAt('mdev', element, source);
  const uuid = attribute(childNamed(childNamed(element, 'source'), 'address'), 'uuid');
  if (uuid !== undefined) device.reference = uuid;
  return device;
}

/** A disk, one of its backing stores, or the target of a block copy may be an NVMe controller of the host. */
function nvmeSources(disk: XmlElement, layer: XmlElement, source: Source): AssignedDevice[] {
  const own: AssignedDevice[] = [];
  if (attribute(layer, 'type') === 'nvme') {
    const device = fromSource('nvme-disk', disk, source, layer);
    device.plugged = false;
    own.push(device);
  }
  const deeper = layer.children.filter((child) => child.name === 'backingStore' || child.name === 'mirror');
  return [...own, ...deeper.flatMap((child) => nvmeSources(disk, child, source))];
}
