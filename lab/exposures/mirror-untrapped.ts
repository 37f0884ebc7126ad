import { randomInt } from 'node:crypto';
import type { LabExposure } from './exposure.js';

/** The window of newer GPUs by nouveau's headers; no quirk of QEMU knows it. */
const MIRROR = 0x92000;

export default {
  row: 'mirror-untrapped',
  attempts: ({ device }) => {
    if (device.vfioProperties?.['x-pci-vendor-id'] === undefined) return [];
    const offset = MIRROR + 0xf0;
    // The VGA's memory keeps what an earlier VM has written.
    const value = randomInt(1, 0xffff_ffff);
    return [
      {
        what: `BAR0 + 0x${offset.toString(16)}`,
        part: 'legacy',
        writes: [{ space: 'bar0', offset, size: 4, value }],
        arrival: { kind: 'bar0-memory', offset, value },
      },
    ];
  },
} satisfies LabExposure;
