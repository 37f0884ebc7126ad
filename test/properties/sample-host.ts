import type { HostCapabilities } from '../../src/host/host-capabilities.js';
import type { Bdf } from '../../src/pci/bdf.js';
import {
  gpuConfigSpace,
  nicConfigSpace,
  nvmeConfigSpace,
} from '../../src/pci/config-space/config-space-builder.js';
import type { PciFunction } from '../../src/pci/pci-function.js';

/** A GPU with its audio function, an NVMe controller, a NIC and two of its virtual functions, an old conventional card. */
export const HOST_FUNCTIONS: readonly PciFunction[] = [
  hostFunction('0000:65:00.0', '10de', '2684', '030000', gpuConfigSpace()),
  hostFunction('0000:65:00.1', '10de', '22ba', '040300'),
  hostFunction('0000:81:00.0', '144d', 'a80a', '010802', nvmeConfigSpace()),
  hostFunction('0000:3b:00.0', '8086', '1592', '020000', nicConfigSpace()),
  { ...hostFunction('0000:3b:01.0', '8086', '1889', '020000'), kind: 'vf' },
  { ...hostFunction('0000:3b:01.1', '8086', '1889', '020000'), kind: 'vf' },
  { ...hostFunction('0000:05:04.0', '1102', '0004', '040100'), express: false, configSize: 256 },
];

function hostFunction(
  bdf: string,
  vendor: string,
  device: string,
  className: string,
  configSpace?: Uint8Array,
): PciFunction {
  return {
    bdf: bdf as Bdf,
    vendor,
    device,
    revision: '01',
    class: className,
    kind: 'pf',
    resetMethods: ['flr', 'bus'],
    express: true,
    configSize: 4096,
    ...(configSpace && { configSpace }),
  };
}

/** What the address model asks of QEMU, and the machine type of a domain that names none. */
export const STOCK_QEMU: Pick<HostCapabilities, 'defaultMachine' | 'qemuDevices'> = {
  defaultMachine: 'pc',
  qemuDevices: [
    'qemu-xhci',
    'nec-usb-xhci',
    'pcie-pci-bridge',
    'lsi53c895a',
    'rtl8139',
    'e1000',
    'virtio-net-pci',
  ],
};
