import { UNPROBED_HOST, type HostCapabilities } from './host-capabilities.js';

/**
 * A host that nobody has probed and of which is assumed what distributions ship: libvirt's default machine, and a QEMU with
 * the devices that decide what libvirt adds by default. No mechanism that has to be seen on the host is ready.
 */
export const STOCK_CAPABILITIES: HostCapabilities = {
  ...UNPROBED_HOST,
  defaultMachine: 'pc',
  qemuDevices: ['qemu-xhci', 'nec-usb-xhci', 'pcie-pci-bridge', 'virtio-net-pci', 'e1000', 'rtl8139'],
};
