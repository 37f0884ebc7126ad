import { formatBdf } from '../pci/bdf.js';
import { findAssignedInDevice } from './assigned-devices.js';
import type { DomainDocument } from './domain-document.js';
import { replaceElement } from './insertion.js';
import { renderElement } from './new-element.js';
import { addressElement } from './rewrite/document-edit.js';
import { applySplices } from './splice.js';
import { childNamed, readXml } from './xml-reader.js';

/**
 * A device element as a client knows it, with the guest address that the device has now. Clients name a device by where
 * they put it; libvirt compares that address for interfaces (`virDomainNetFindIdx`) and would not find one that was moved.
 * The very same text where nothing is to be changed: the device names no address, is not there, or is where it says.
 *
 * @throws LocatedError where the device cannot be read
 */
export function readdress(device: string, domain: DomainDocument): string {
  const root = readXml(device);
  const address = childNamed(root, 'address');
  if (!address) return device;
  const splices = findAssignedInDevice(root, device).flatMap(({ source, guestAddress }) => {
    if (!guestAddress || !source) return [];
    const present = domain.assignedDevices.filter((candidate) => candidate.source === source);
    const now = present.length === 1 ? present[0]!.guestAddress : undefined;
    if (!now || formatBdf(now) === formatBdf(guestAddress)) return [];
    return [replaceElement(address, renderElement(addressElement(now)).join(''))];
  });
  return applySplices(device, splices.slice(0, 1));
}
