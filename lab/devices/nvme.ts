import type { LabDevice } from './device.js';

export default {
  name: 'nvme',
  id: '1b36:0010',
  purpose: 'PCI Express capability with function-level reset, power management, much unassigned space',
  disk: 64,
  arguments: [
    ...['-drive', 'if=none,id=nvme-disk,file=$DIR/nvme.img,format=raw'],
    ...['-device', 'nvme,id=nvme,bus=$PORT,serial=lab,drive=nvme-disk'],
  ],
} satisfies LabDevice;
