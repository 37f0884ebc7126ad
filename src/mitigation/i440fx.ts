import { reasonsToStayQ35 } from '../domain-xml/machine.js';
import { placeOf } from '../domain-xml/xml-reader.js';
import type { Mechanism } from './mechanism.js';

/** The whole machine without PCI Express: the same limit as a conventional bus, for every device of the domain. */
export const i440fx: Mechanism = {
  name: 'i440fx',
  guestChange: 'machine',
  exemptionGrain: 'outside',
  price: "the guest's machine changes: every PCI address moves, and an installed system may need repair",
  column: () => 'i440fx',
  availability: ({ document, family, device }) => {
    if (family !== 'q35') {
      return { available: false, detail: 'only a q35 machine can be converted' };
    }
    if (device.carrier === 'qemu-argument') {
      return {
        available: false,
        detail: 'the device is given by raw QEMU arguments, which may name buses of q35',
      };
    }
    if (!device.plugged) return { available: false, detail: 'the device is not plugged into the guest' };
    const needs = reasonsToStayQ35(document.root);
    if (needs.length > 0) {
      const listed = needs.map(({ what, element }) => `${what} (${placeOf(document.text, element.start)})`);
      return { available: false, detail: `the guest needs q35: ${listed.join('; ')}` };
    }
    return { available: true, detail: 'stock QEMU has no PCI Express on this machine type' };
  },
};
