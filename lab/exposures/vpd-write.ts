import { CAP } from '../../src/pci/config-space/capability-tables.js';
import type { LabExposure } from './exposure.js';

/** PCI_VPD_ADDR and PCI_VPD_DATA of linux/pci_regs.h; bit 15 of the address asks for a write. */
const ADDRESS = 2;
const DATA = 4;
/** A byte of the writable part of what the lab's device stores. */
const WHERE = 0x10;

export default {
  row: 'vpd-write',
  attempts: ({ layout }) =>
    layout.capabilities
      .filter(({ extended, id }) => !extended && id === CAP.VPD)
      .map(({ start }) => ({
        what: 'four bytes of vital product data',
        part: 'legacy' as const,
        writes: [
          { space: 'config' as const, offset: start + DATA, size: 4 as const, value: 0x5a5b5c5d },
          { space: 'config' as const, offset: start + ADDRESS, size: 2 as const, value: 0x8000 | WHERE },
        ],
        arrival: { kind: 'config' as const, offset: start + ADDRESS, size: 2, bits: 0x8000 },
      })),
} satisfies LabExposure;
