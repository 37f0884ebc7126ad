import { ECAP } from '../../src/pci/config-space/capability-tables.js';
import type { Attempt, LabExposure } from './exposure.js';

/** Offsets of linux/pci_regs.h. */
const REGISTERS: [name: string, offset: number, value: number][] = [
  ['uncorrectable mask', 0x08, 0x0010_0000],
  ['uncorrectable severity', 0x0c, 0x0006_2030],
  ['correctable mask', 0x14, 0x0000_2001],
];

export default {
  row: 'aer-registers',
  attempts: ({ layout }) =>
    layout.capabilities
      .filter(({ extended, id }) => extended && id === ECAP.AER)
      .flatMap(({ start }) =>
        REGISTERS.map(([name, offset, value]): Attempt => ({
          what: `AER ${name}`,
          part: 'extended',
          writes: [{ space: 'config', offset: start + offset, size: 4, value }],
        })),
      ),
} satisfies LabExposure;
