import { CAP } from '../../src/pci/config-space/capability-tables.js';
import type { LabExposure } from './exposure.js';

/** PCI_PM_CTRL of linux/pci_regs.h: PMCSR, whose lowest two bits are the power state. */
const PMCSR = 4;

export default {
  row: 'power-management',
  attempts: ({ layout }) =>
    layout.capabilities
      .filter(({ extended, id }) => !extended && id === CAP.PM)
      .map(({ start }) => ({
        what: 'PMCSR: to D3hot',
        part: 'legacy' as const,
        writes: [{ space: 'config' as const, offset: start + PMCSR, size: 2 as const, value: 0x0003 }],
        arrival: { kind: 'config' as const, offset: start + PMCSR, size: 2, bits: 0x03 },
      })),
} satisfies LabExposure;
