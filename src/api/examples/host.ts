import type { HostAnswer, ModeView } from '../host.dto.js';

export const MODE_EXAMPLE: ModeView = { mode: 'observe', source: 'file' };

export const HOST_EXAMPLE: HostAnswer = {
  name: 'node-1',
  mode: { mode: 'enforce', source: 'configuration' },
  capabilities: {
    defaultMachine: 'pc',
    qemuVersion: 'QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)',
    qemuDevices: ['pcie-pci-bridge', 'virtio-net-pci'],
    kernelGuard: {
      state: 'absent',
      detail: 'the kernel guard cannot be used: /usr/sbin/warden-guard: it is not installed',
    },
    kernelParameters: {
      state: 'absent',
      detail: 'this kernel has no block_pci_unassigned_write (no released kernel has)',
      allowIds: [],
    },
    qemuConfigFilter: {
      property: { state: 'absent', detail: 'this QEMU has no option to filter config accesses of vfio-pci' },
      preload: { state: 'absent', detail: 'this version of vfio-warden has no preloaded filter' },
    },
  },
  parameters: {
    configured: {
      state: 'none',
      detail: 'no module was seen that has the parameters (no released kernel has)',
    },
    live: { state: 'none', detail: 'no module was seen that has the parameters (no released kernel has)' },
    verified: {
      state: 'not-seen',
      detail: 'no audit record of a blocked access was seen since the service started',
    },
  },
  components: [
    { name: 'libvirt', critical: true, state: 'up', detail: 'connected to /run/libvirt/libvirt-sock' },
    { name: 'store', critical: false, state: 'up', detail: 'SQLite' },
  ],
  versions: {
    service: '0.1.0',
    node: 'v20.20.2',
    kernel: '6.1.0-28-amd64',
    qemu: 'QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18)',
  },
  revisions: {
    policy: '8aa242a3551e3b02787d41dd65fd91ea018333bfc48c4f1ba8507c23a24384bc',
    risks: '661ce9f2f08cd0bb87b6abdf81efb8946fbbdcffaa3f652dd826d7d5c544e493',
    inventory: '7b61d43e6effc2a9282890b6b868937a0a0c4e64aa969ba429d86854e1c11dc6',
  },
};
