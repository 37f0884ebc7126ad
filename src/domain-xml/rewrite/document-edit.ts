import type { PciAddress } from '../pci-address.js';
import type { Splice } from '../splice.js';

/** One intended change of a document, in words and as splices of its text. */
export interface DocumentEdit {
  kind:
    'add-controller' | 'set-address' | 'remove-address' | 'set-machine' | 'change-controller' | 'add-device';
  /** What is changed: `controller pci 7`, `hostdev 0000:65:00.0`. */
  target: string;
  /** What is done, as an operator would say it. */
  summary: string;
  splices: Splice[];
}

/** A device that is not the one to be restricted, but gets another guest address because of the edits. */
export interface Move {
  /** `memballoon`, `disk vda`; a device that the XML does not name is one that libvirt adds. */
  device: string;
  from: string;
  to: string;
}

/** `<address type='pci' .../>` as libvirt writes it. */
export function renderPciAddress(address: PciAddress, multifunction = false): string {
  const hex = (value: number, digits: number) => `0x${value.toString(16).padStart(digits, '0')}`;
  const { domain, bus, slot } = address;
  return (
    `<address type='pci' domain='${hex(domain, 4)}' bus='${hex(bus, 2)}' slot='${hex(slot, 2)}'` +
    ` function='0x${address.function}'${multifunction ? " multifunction='on'" : ''}/>`
  );
}
