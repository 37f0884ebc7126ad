import { CAP } from '../../src/pci/config-space/capability-tables.js';
import type { Attempt, LabExposure } from './exposure.js';

/** PCI_EXP_DEVCTL and PCI_AF_CTRL of linux/pci_regs.h, with the bit that asks for a function-level reset. */
const DEVCTL = { offset: 8, size: 2, bit: 0x8000 } as const;
const AF_CTRL = { offset: 4, size: 1, bit: 0x01 } as const;

export default {
  row: 'reset',
  attempts: ({ layout, configSpace }) => {
    if (!layout.functionLevelReset) return [];
    return layout.capabilities.flatMap(({ extended, id, start }): Attempt[] => {
      const register = extended ? undefined : id === CAP.EXP ? DEVCTL : id === CAP.AF ? AF_CTRL : undefined;
      if (!register) return [];
      const offset = start + register.offset;
      const now = configSpace[offset]! | (register.size === 2 ? configSpace[offset + 1]! << 8 : 0);
      return [
        {
          what: `function-level reset by ${register === DEVCTL ? 'DEVCTL' : 'Advanced Features'}`,
          part: 'legacy',
          writes: [{ space: 'config', offset, size: register.size, value: now | register.bit }],
          arrival: { kind: 'config', offset, size: register.size, bits: register.bit },
        },
      ];
    });
  },
} satisfies LabExposure;
