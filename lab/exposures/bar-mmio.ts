import { distinctValue, type LabExposure } from './exposure.js';

const OFFSET = 0x1000;

export default {
  row: 'bar-mmio',
  attempts: ({ device }) => {
    if (device.name !== 'nvidia-vga') return [];
    const value = distinctValue(4, OFFSET);
    return [
      {
        what: `BAR0 + 0x${OFFSET.toString(16)}`,
        part: 'legacy',
        writes: [{ space: 'bar0', offset: OFFSET, size: 4, value }],
        arrival: { kind: 'bar0-memory', offset: OFFSET, value },
      },
    ];
  },
} satisfies LabExposure;
