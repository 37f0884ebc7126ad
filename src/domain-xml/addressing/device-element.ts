import { LocatedError } from '../../located-error.js';
import { readPciAddress } from '../pci-address.js';
import { attribute, childNamed, type XmlElement } from '../xml-reader.js';
import { Unpredictable, type DeviceKind, type GuestDevice } from './guest-device.js';

/** `virDomainDeviceInfoParseXML`: the first `<address>`; its type is required. */
export function readDevice(
  kind: DeviceKind,
  key: string,
  element: XmlElement,
  model: string | undefined,
): GuestDevice {
  const read: GuestDevice = { kind, key, element, model: model ?? '', flags: 0 };
  const address = childNamed(element, 'address');
  if (!address) return read;
  const type = attribute(address, 'type');
  if (type === undefined)
    throw new Unpredictable(`libvirt would refuse the ${kind}: its address has no type`);
  read.addressType = type;
  if (type === 'pci') {
    try {
      read.pci = readPciAddress(address, '');
    } catch (error) {
      if (!(error instanceof LocatedError)) throw error;
      throw new Unpredictable(`libvirt would refuse the address of the ${kind}: ${error.problem}`);
    }
  }
  return read;
}

/** A number in a drive or virtio-serial address (`controller`, `unit`); 0 where it is left out. */
export function addressNumber(element: XmlElement | undefined, field: string): number {
  const text = attribute(childNamed(element, 'address'), field) ?? '0';
  // Base 10, unlike the numbers of a PCI address.
  const value = /^\s*\+?(\d{1,9})$/.exec(text)?.[1];
  if (value === undefined)
    throw new Unpredictable(`'${text.slice(0, 40)}' is not a number that libvirt reads`);
  return Number(value);
}
