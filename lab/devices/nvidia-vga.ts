import type { LabDevice } from './device.js';

export default {
  name: 'nvidia-vga',
  id: '1234:1111',
  purpose:
    "a VGA that poses as NVIDIA's in the guest, so that QEMU traps the mirror of config space at BAR0 + 0x88000",
  arguments: ['-device', 'VGA,id=vga,bus=$PORT,romfile=,vgamem_mb=16'],
  vfioProperties: { 'x-pci-vendor-id': { type: 'unsigned', value: String(0x10de) } },
} satisfies LabDevice;
