import type { LabDevice } from './device.js';

export default {
  name: 'nvme-virtual-function',
  id: '1b36:0010',
  purpose:
    'an SR-IOV virtual function, whose config space vfio makes up in part; its physical function stays at the host',
  virtualFunction: true,
  arguments: [
    ...['-device', 'nvme-subsys,id=shared-nvme'],
    '-device',
    'nvme,id=nvme-pf,bus=$PORT,serial=shared,subsys=shared-nvme,sriov_max_vfs=1,sriov_vq_flexible=2,sriov_vi_flexible=1',
  ],
} satisfies LabDevice;
