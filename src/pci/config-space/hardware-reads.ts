import { EXTENDED_SIZE } from './capability-tables.js';

/**
 * Reads of a device's config space as `pci_read_config_{byte,word,dword}` answer them. A read is undefined where the
 * kernel's fails: an unaligned one (`PCIBIOS_BAD_REGISTER_NUMBER`) and, on x86, one beyond 4,096 bytes
 * (`pci_mmcfg_read`). What the device does not have reads as all-ones.
 */
export interface HardwareReads {
  byte(offset: number): number | undefined;
  word(offset: number): number | undefined;
  dword(offset: number): number | undefined;
}

export function hardwareReads(space: Uint8Array): HardwareReads {
  const at = (offset: number) => space[offset] ?? 0xff;
  return {
    byte: (offset) => (offset >= EXTENDED_SIZE ? undefined : at(offset)),
    word: (offset) =>
      offset & 1 || offset >= EXTENDED_SIZE ? undefined : at(offset) | (at(offset + 1) << 8),
    dword: (offset) =>
      offset & 3 || offset >= EXTENDED_SIZE
        ? undefined
        : (at(offset) | (at(offset + 1) << 8) | (at(offset + 2) << 16) | (at(offset + 3) << 24)) >>> 0,
  };
}
