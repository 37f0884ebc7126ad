import { randomInt } from 'node:crypto';
import { distinctValue, type GuestWrite, type LabExposure } from './exposure.js';

/** NVIDIA's window to config space, which QEMU traps (vfio_nvidia_mirror_quirk of hw/vfio/pci-quirks.c). */
const MIRROR = 0x88000;

/** More equal writes than QEMU takes (HITS_FOR_IOEVENTFD, 10) before it has the kernel write to the BAR by itself. */
const EQUAL_WRITES = 15;

export default {
  row: 'mirror-trapped',
  attempts: ({ device, layout }) => {
    if (device.vfioProperties?.['x-pci-vendor-id'] === undefined) return [];
    const gap = layout.regions.findLast(
      ({ start, length, owner }) =>
        start >= 0x40 && start < 0x100 && length >= 4 && owner.kind === 'unassigned',
    );
    if (!gap) return [];
    const offset = (gap.start + gap.length - 4) & ~3;
    const what = `BAR0 + 0x${(MIRROR + offset).toString(16)}`;
    const write = (value: number): GuestWrite => ({ space: 'bar0', offset: MIRROR + offset, size: 4, value });
    // The VGA's memory keeps what an earlier VM has written.
    const fresh = randomInt(1, 0xffff_ffff);
    return [
      {
        what,
        part: 'legacy',
        writes: [write(distinctValue(4, offset))],
        arrival: { kind: 'config', offset, size: 4 },
      },
      {
        what: `${what}, ${EQUAL_WRITES} equal writes`,
        part: 'legacy',
        writes: Array.from({ length: EQUAL_WRITES }, () => write(fresh)),
        arrival: { kind: 'bar0-memory', offset: MIRROR + offset, value: fresh },
      },
    ];
  },
} satisfies LabExposure;
