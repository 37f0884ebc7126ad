import { newElement } from '../new-element.js';
import type { PciAddress } from '../pci-address.js';
import type { Splice } from '../splice.js';
import type { XmlElement } from '../xml-reader.js';
import type { TreeChange } from './edited-tree.js';

/** One intended change of a document, in words and as splices of its text. */
export interface DocumentEdit {
  kind:
    | 'set-filter'
    | 'add-controller'
    | 'set-address'
    | 'remove-address'
    | 'set-machine'
    | 'change-controller'
    | 'add-device';
  /** What is changed: `controller pci 7`, `hostdev 0000:65:00.0`. */
  target: string;
  /** What is done, as an operator would say it. */
  summary: string;
  splices: Splice[];
  /** The same as a change of the tree; absent where the edit does more than to add or to place a device. */
  change?: TreeChange;
}

/** A device that is not the one to be restricted, but gets another guest address because of the edits. */
export interface Move {
  /** `memballoon`, `disk vda`; a device that the XML does not name is one that libvirt adds. */
  device: string;
  from: string;
  to: string;
}

/** `<address type='pci' .../>` as libvirt writes it. */
export function addressElement(address: PciAddress, multifunction = false): XmlElement {
  const hex = (value: number, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`;
  return newElement('address', {
    type: 'pci',
    domain: hex(address.domain, 4),
    bus: hex(address.bus, 2),
    slot: hex(address.slot, 2),
    function: hex(address.function, 1),
    ...(multifunction && { multifunction: 'on' }),
  });
}
