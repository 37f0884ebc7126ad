import { formatBdf, type Bdf } from '../../pci/bdf.js';
import { readPciAddress } from '../pci-address.js';
import { attribute, descend } from '../xml-reader.js';
import { CONNECT } from './pci-buses.js';
import { hasPciAddress, Unpredictable, type Controller, type GuestDevice } from './guest-device.js';

/** What of the host decides where a device goes: its functions, its networks, its QEMU. */
export interface HostKnowledge {
  /**
   * Whether libvirt takes a host function for PCI Express: it has a PCI Express capability, or its config space is not
   * 256 bytes long (`virPCIDeviceIsPCIExpress`). Undefined where there is no such function: libvirt then assumes PCI
   * Express (`qemuDomainDeviceCalculatePCIConnectFlags`), and so does the model.
   */
  isExpress(source: Bdf): boolean | undefined;
  /**
   * Whether a libvirt network hands out host functions (`<forward mode='hostdev'>`). Asked for a network card without a
   * model on q35; where it is not known the plan is uncertain.
   */
  forwardsHostdev?(network: string): boolean | undefined;
  /**
   * Whether the QEMU binary has a device, by the name that `-device help` shows. Asked on q35 where libvirt goes by it:
   * `qemu-xhci`, `nec-usb-xhci`, `pcie-pci-bridge`, `lsi53c895a`, `rtl8139`, `e1000`, `virtio-net-pci`. Where it is not
   * known the plan is uncertain.
   */
  hasDevice?(name: string): boolean | undefined;
}

/** The answer of the host, or a refusal to guess. */
export function known(answer: boolean | undefined, question: string): boolean {
  if (answer === undefined) throw new Unpredictable(`it is not known here ${question}`);
  return answer;
}

const CONVENTIONAL = CONNECT.pciDevice | CONNECT.autoassign;
const EXPRESS = CONNECT.pcieDevice | CONNECT.autoassign;

type Wish = 'conventional' | 'express' | 'none';

/** The models that a virtio device can have; all but transitional ones are PCI Express devices. */
const VIRTIO: Readonly<Record<string, Wish>> = {
  virtio: 'express',
  'virtio-transitional': 'conventional',
  'virtio-non-transitional': 'express',
};

const VIRTIO_OR_DEFAULT: Readonly<Record<string, Wish>> = { ...VIRTIO, '': 'express' };

const PCI_CONTROLLER_PLUGS: Readonly<Record<string, number>> = {
  'pci-root': 0,
  'pcie-root': 0,
  'pci-bridge': CONNECT.pciBridge,
  'pci-expander-bus': CONNECT.pciExpander,
  'pcie-expander-bus': CONNECT.pcieExpander,
  'dmi-to-pci-bridge': CONNECT.dmiToPciBridge,
  'pcie-to-pci-bridge': CONNECT.pcieToPciBridge,
  'pcie-root-port': CONNECT.rootPort | CONNECT.aggregate,
  'pcie-switch-upstream-port': CONNECT.upstreamPort,
  'pcie-switch-downstream-port': CONNECT.downstreamPort,
};

/** Models of controllers that are PCI devices; `''` is the default of the type. */
const CONTROLLERS: Readonly<Record<string, Readonly<Record<string, Wish>>>> = {
  sata: { '': 'conventional' },
  ide: { '': 'conventional', piix3: 'conventional', piix4: 'conventional', ich6: 'conventional' },
  usb: {
    '': 'conventional',
    'nec-xhci': 'express',
    'qemu-xhci': 'express',
    ehci: 'conventional',
    'ich9-ehci1': 'conventional',
    'ich9-uhci1': 'conventional',
    'ich9-uhci2': 'conventional',
    'ich9-uhci3': 'conventional',
    'vt82c686b-uhci': 'conventional',
    'piix3-uhci': 'conventional',
    'piix4-uhci': 'conventional',
    'pci-ohci': 'conventional',
    none: 'none',
  },
  scsi: {
    'virtio-scsi': 'express',
    'virtio-non-transitional': 'express',
    'virtio-transitional': 'conventional',
    buslogic: 'conventional',
    lsilogic: 'conventional',
    lsisas1068: 'conventional',
    vmpvscsi: 'conventional',
    lsisas1078: 'conventional',
    dc390: 'conventional',
    am53c974: 'conventional',
    ncr53c90: 'none',
  },
  'virtio-serial': VIRTIO_OR_DEFAULT,
  fdc: { '': 'none' },
  ccid: { '': 'none' },
};

const MODELS: Readonly<Partial<Record<GuestDevice['kind'], Readonly<Record<string, Wish>>>>> = {
  /** By driver, then by model where the driver is virtio-9p. */
  filesystem: { ...VIRTIO_OR_DEFAULT, virtiofs: 'express' },
  /** By bus; `virtio` is refined by its model. */
  disk: {
    ...VIRTIO,
    ide: 'none',
    fdc: 'none',
    scsi: 'none',
    usb: 'none',
    sata: 'none',
  },
  input: { ...VIRTIO, ps2: 'none', usb: 'none', xen: 'none', none: 'none' },
  sound: {
    es1370: 'conventional',
    ac97: 'conventional',
    ich6: 'conventional',
    ich9: 'conventional',
    sb16: 'none',
    pcspk: 'none',
    usb: 'none',
  },
  memballoon: { ...VIRTIO, none: 'none' },
  rng: VIRTIO,
  // `itco` is part of the q35 chipset.
  watchdog: { i6300esb: 'conventional', ib700: 'none', diag288: 'none', itco: 'none' },
  video: {
    virtio: 'express',
    bochs: 'express',
    '': 'conventional',
    vga: 'conventional',
    cirrus: 'conventional',
    vmvga: 'conventional',
    xen: 'conventional',
    vbox: 'conventional',
    qxl: 'conventional',
    none: 'none',
    ramfb: 'none',
  },
  shmem: {
    '': 'conventional',
    ivshmem: 'conventional',
    'ivshmem-plain': 'conventional',
    'ivshmem-doorbell': 'conventional',
  },
  serial: {
    '': 'none',
    'pci-serial': 'conventional',
    'isa-serial': 'none',
    'usb-serial': 'none',
    'isa-debug': 'none',
  },
  iommu: { intel: 'none', virtio: 'express' },
  vsock: VIRTIO_OR_DEFAULT,
  memory: {
    dimm: 'none',
    nvdimm: 'none',
    'sgx-epc': 'none',
    'virtio-pmem': 'express',
    'virtio-mem': 'express',
  },
};

/**
 * Connect flags of a device: which kinds of bus suit it (`qemuDomainDeviceCalculatePCIConnectFlags`). Devices whose model
 * libvirt fills in must have it by now.
 *
 * @param express whether the guest has a `pcie-root`
 * @throws Unpredictable for a model that the model does not cover, or where the host is not known well enough
 */
export function connectFlags(device: GuestDevice, express: boolean, host: HostKnowledge): number {
  if (isController(device) && device.type === 'pci') {
    return lookUp(PCI_CONTROLLER_PLUGS, device);
  }
  const wish = isController(device) ? controllerWish(device) : endpointWish(device, express, host);
  if (wish === 'none') return 0;
  const flags = wish === 'express' && express ? EXPRESS : CONVENTIONAL;
  return device.kind === 'iommu' ? flags | CONNECT.integrated : flags;
}

function isController(device: GuestDevice): device is Controller {
  return device.kind === 'controller';
}

function controllerWish(controller: Controller): Wish {
  if (!Object.hasOwn(CONTROLLERS, controller.type)) {
    throw new Unpredictable(`controller type '${controller.type}' is not covered`);
  }
  return lookUp(CONTROLLERS[controller.type]!, controller);
}

function endpointWish(device: GuestDevice, express: boolean, host: HostKnowledge): Wish {
  if (device.kind === 'hostdev') return hostdevWish(device, express, host);
  if (device.kind === 'interface') return interfaceWish(device, express, host);
  return lookUp(MODELS[device.kind]!, device);
}

function lookUp<T>(table: Readonly<Record<string, T>>, device: GuestDevice): T {
  if (!Object.hasOwn(table, device.model)) {
    throw new Unpredictable(`the ${device.kind} model '${device.model.slice(0, 40)}' is not covered`);
  }
  return table[device.model]!;
}

/** `model` is the hostdev's type; for scsi_host followed by its own model. */
function hostdevWish(device: GuestDevice, express: boolean, host: HostKnowledge): Wish {
  switch (device.model) {
    case 'pci': {
      // With an address of its own either kind passes, and libvirt does not look at the host.
      if (!express || hasPciAddress(device)) return 'express';
      return host.isExpress(sourceOf(device)) === false ? 'conventional' : 'express';
    }
    case 'mdev':
    case 'scsi_host':
    case 'scsi_host virtio':
    case 'scsi_host virtio-non-transitional':
      return 'express';
    case 'scsi_host virtio-transitional':
      return 'conventional';
    case 'usb':
    case 'scsi':
    case 'capabilities':
    case 'mdev without PCI':
      return 'none';
    default:
      throw new Unpredictable(`hostdev type '${device.model.slice(0, 40)}' is not covered`);
  }
}

function sourceOf(device: GuestDevice): Bdf {
  const address = descend(device.element, 'source', 'address');
  if (!address) throw new Unpredictable('a hostdev has no source address');
  return formatBdf(readPciAddress(address, ''));
}

/** Network card models that libvirt knows and that are conventional PCI; every name it does not know counts as Express. */
const CONVENTIONAL_NICS = new Set([
  'netfront',
  'rtl8139',
  'e1000',
  'virtio-transitional',
  'lan9118',
  'scm91c111',
  'vlance',
  'vmxnet',
  'vmxnet2',
  'vmxnet3',
  'am79c970a',
  'am79c973',
  '82540em',
  '82545em',
  '82543gc',
]);

function interfaceWish(device: GuestDevice, express: boolean, host: HostKnowledge): Wish {
  const model = device.model.toLowerCase();
  if (model === 'usb-net') return 'none';
  if (model === 'spapr-vlan') throw new Unpredictable('a network card of pSeries is not covered');
  if (model !== '') return CONVENTIONAL_NICS.has(model) ? 'conventional' : 'express';
  if (!express) return 'conventional';
  const type = attribute(device.element, 'type') ?? 'user';
  if (type === 'vdpa') return 'express';
  const network = type === 'network' ? attribute(descend(device.element, 'source'), 'network') : undefined;
  if (network !== undefined) {
    const question = `whether network '${network.slice(0, 40)}' hands out host functions`;
    if (known(host.forwardsHostdev?.(network), question)) return 'express';
  }
  // `qemuDomainDefaultNetModel`: rtl8139, else e1000, else virtio, else rtl8139.
  const missing = (name: string) =>
    !known(host.hasDevice?.(name), `whether QEMU has ${name}, the default network card`);
  if (!missing('rtl8139') || !missing('e1000') || missing('virtio-net-pci')) return 'conventional';
  return 'express';
}
