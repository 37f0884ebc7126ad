import type { LabDevice } from './device.js';

export default {
  name: 'virtio-net',
  id: '1af4:1041',
  purpose: 'vendor-specific capabilities (VNDR) in legacy config space',
  arguments: [
    ...['-netdev', 'hubport,id=lan2,hubid=0'],
    ...['-device', 'virtio-net-pci,id=virtio-net,bus=$PORT,netdev=lan2,romfile='],
  ],
} satisfies LabDevice;
