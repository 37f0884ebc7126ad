import { distinctValue, type LabExposure } from './exposure.js';

/** NVIDIA's window to config space, which QEMU traps (vfio_nvidia_mirror_quirk of hw/vfio/pci-quirks.c). */
const MIRROR = 0x88000;

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
    return [
      {
        what: `BAR0 + 0x${(MIRROR + offset).toString(16)}`,
        part: 'legacy',
        writes: [{ space: 'bar0', offset: MIRROR + offset, size: 4, value: distinctValue(4, offset) }],
        arrival: { kind: 'config', offset, size: 4 },
      },
    ];
  },
} satisfies LabExposure;
