import type { PciAddress } from '../pci-address.js';
import type { XmlElement } from '../xml-reader.js';

/** A PCI controller of the guest: it provides the bus of its index and is itself plugged into another. */
export interface PciController {
  /** The number that guest addresses name as `bus`. */
  index: number;
  model: string;
  /** Absent for one that libvirt adds by itself. */
  element?: XmlElement;
  /** Absent for `pci-root` and `pcie-root`. */
  address?: PciAddress;
}

/** Models whose slots are conventional PCI: no extended config space below. */
const CONVENTIONAL = new Set([
  'pci-root',
  'pci-bridge',
  'pci-expander-bus',
  'pcie-to-pci-bridge',
  'dmi-to-pci-bridge',
]);

export function controllerOfBus(
  controllers: readonly PciController[],
  bus: number,
): PciController | undefined {
  return controllers.find(({ index }) => index === bus);
}

/**
 * Whether a bus is, or lies anywhere below, a conventional PCI bus; there QEMU forwards no access to extended config
 * space (0x100-0xfff). False for a bus that does not exist.
 */
export function isConventionalBus(controllers: readonly PciController[], bus: number): boolean {
  const visited = new Set<number>();
  let controller = controllerOfBus(controllers, bus);
  while (controller && !visited.has(controller.index)) {
    if (CONVENTIONAL.has(controller.model)) return true;
    visited.add(controller.index);
    controller = controller.address && controllerOfBus(controllers, controller.address.bus);
  }
  return false;
}
