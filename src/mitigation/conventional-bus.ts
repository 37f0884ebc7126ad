import type { Mechanism } from './mechanism.js';

/**
 * A conventional PCI bus in the guest: QEMU ends the device's config space at 256 bytes on a bus that is not PCI
 * Express all the way up (`pci_adjust_config_limit()`, hw/pci/pci.c).
 */
export const conventionalBus: Mechanism = {
  name: 'conventional-bus',
  guestChange: 'topology',
  exemptionGrain: 'outside',
  price:
    "the guest loses the device's PCI Express capability (AER, ATS, PASID), and some drivers stop working",
  column: () => 'conventional-bus',
  availability: ({ device, family }) => {
    const unavailable = (detail: string) => ({ available: false, detail });
    if (device.carrier === 'qemu-argument') {
      return unavailable('the device is given by raw QEMU arguments, which are not moved');
    }
    if (!device.plugged) return unavailable('the device is not plugged into the guest');
    if (family === 'i440fx') return unavailable('an i440fx machine has conventional buses only');
    if (family !== 'q35')
      return unavailable('bridges are placed on q35 machines only; this machine type is not known');
    return {
      available: true,
      detail: 'stock QEMU ends config space at 256 bytes there (pci_adjust_config_limit)',
    };
  },
};
