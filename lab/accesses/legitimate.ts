import { CAP } from '../../src/pci/config-space/capability-tables.js';
import type { Attempt, DeviceFacts } from '../exposures/exposure.js';

/** PCI_COMMAND: memory space, bus master, parity errors and SERR reported. */
const COMMAND = { offset: 0x04, value: 0x0146 };
/** PCI_EXP_DEVCTL without the reset bit: all four kinds of error reported, relaxed ordering. */
const DEVCTL = { offset: 0x08, value: 0x081f };
/** PCI_CAP_ID_MSIX. */
const MSIX_ID = 0x11;
/** PCI_MSIX_FLAGS with MSI-X switched on; the kernel switches it on in hardware when QEMU asks for the interrupts. */
const MSIX = { offset: 0x02, value: 0x8000 };

/** What every driver does: it has to arrive, whatever is closed. */
export function legitimateAttempts({ layout }: DeviceFacts): Attempt[] {
  const write = (what: string, offset: number, value: number, bits: number): Attempt => ({
    what,
    part: 'legacy',
    writes: [{ space: 'config', offset, size: 2, value }],
    arrival: { kind: 'config', offset, size: 2, bits },
  });
  const attempts = [write('COMMAND', COMMAND.offset, COMMAND.value, 0x0140)];
  for (const { extended, id, start } of layout.capabilities) {
    if (extended) continue;
    if (id === CAP.EXP)
      attempts.push(write('DEVCTL without the reset bit', start + DEVCTL.offset, DEVCTL.value, 0x0f));
    if (id === MSIX_ID) attempts.push(write('MSI-X switched on', start + MSIX.offset, MSIX.value, 0x8000));
  }
  return attempts;
}

/** Cache line size: a register that vfio passes to every device; a batch without it says nothing. */
export function controlAttempt(value: number): Attempt {
  return {
    what: 'control: cache line size',
    part: 'legacy',
    writes: [{ space: 'config', offset: 0x0c, size: 1, value }],
  };
}
