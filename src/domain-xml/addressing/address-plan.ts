import { LocatedError } from '../../located-error.js';
import type { PciAddress } from '../pci-address.js';
import { readMachine } from '../machine.js';
import { QEMU_NAMESPACE } from '../qemu-arguments.js';
import { attribute, childNamed, localName, namespaceOf, type XmlElement } from '../xml-reader.js';
import { assignAll } from './assignment-order.js';
import type { HostKnowledge } from './connect-flags.js';
import { allDevices, readDeviceLists } from './device-lists.js';
import { hasPciAddress, Unpredictable, type DeviceKind, type DeviceLists } from './guest-device.js';
import { addImplicitDevices } from './implicit-devices.js';
import type { PciController } from './pci-topology.js';

export interface AddressedDevice {
  /** The element that declares it; `interface` also for `<interface type='hostdev'>`. */
  kind: DeviceKind;
  /**
   * Names the device across two documents that differ elsewhere: `disk:vda` (target), `controller:pci:3` (index),
   * `controller:usb:0:ich9-ehci1`, `hostdev:0` (position among its kind; the primary video device is `video:0`).
   */
  key: string;
  /** Absent for a device that libvirt adds by itself. */
  element?: XmlElement;
  /** Absent for a device that is not on PCI. */
  address?: PciAddress;
}

export interface CertainPlan {
  certain: true;
  devices: AddressedDevice[];
  /** Every PCI controller that the domain then has, by index. */
  controllers: PciController[];
}

/** Nothing can be said; the remedy is to ask libvirt, by defining the domain and reading it back. */
export interface UncertainPlan {
  certain: false;
  reasons: string[];
}

export type AddressPlan = CertainPlan | UncertainPlan;

/**
 * Predicts which guest PCI address libvirt gives to each device when it defines this domain: those that the document
 * states, those that libvirt chooses, and those of devices and controllers that it adds. It models libvirt 9.0
 * (`virDomainDefPostParse`, `qemuDomainAssignPCIAddresses`) for the x86 machine types q35 and i440fx, held against that
 * version by `test/libvirt-oracle`. What the model does not cover gives `certain: false`.
 *
 * @param domain the `<domain>` element; it is not changed
 */
export function assignPciAddresses(domain: XmlElement, host: HostKnowledge): AddressPlan {
  const uncovered = uncoveredDomain(domain);
  if (uncovered.length > 0) return { certain: false, reasons: uncovered };
  const express = readMachine(domain).family === 'q35';
  try {
    const lists = readDeviceLists(domain);
    addImplicitDevices(domain, lists, express, host);
    assignAll(lists, express, host);
    return { certain: true, devices: addressed(lists), controllers: pciControllers(lists) };
  } catch (error) {
    if (error instanceof Unpredictable) return { certain: false, reasons: [error.message] };
    if (error instanceof LocatedError) return { certain: false, reasons: [error.problem] };
    throw error;
  }
}

function uncoveredDomain(domain: XmlElement): string[] {
  const reasons: string[] = [];
  if (namespaceOf(domain) !== '') reasons.push('the document has a namespace, which hides it from libvirt');
  const type = attribute(domain, 'type');
  if (type !== 'kvm' && type !== 'qemu')
    reasons.push(`domain type '${type ?? ''}' is not covered, only kvm and qemu`);
  const machine = readMachine(domain);
  if (machine.family === 'unspecified')
    reasons.push('the document names no machine type, and the host decides');
  if (machine.family === 'other') {
    reasons.push(
      `machine type '${machine.type}' on ${machine.arch ?? 'the host'} is not covered, only q35 and i440fx`,
    );
  }
  const os = childNamed(childNamed(domain, 'os'), 'type');
  if (os?.text.trim() !== 'hvm') reasons.push('only fully virtualised guests (hvm) are covered');
  // <qemu:capabilities> makes libvirt believe in another QEMU than the host has.
  if (
    domain.children.some(
      (child) => localName(child) === 'capabilities' && namespaceOf(child) === QEMU_NAMESPACE,
    )
  ) {
    reasons.push('<qemu:capabilities> is not covered');
  }
  return reasons;
}

/** Devices are built field by field: objects spread under conditions cost more than all else here. */
function addressed(lists: DeviceLists): AddressedDevice[] {
  return allDevices(lists).map((device) => {
    const entry: AddressedDevice = {
      kind: lists.interfaces.includes(device) ? 'interface' : device.kind,
      key: device.key,
    };
    if (device.element) entry.element = device.element;
    if (hasPciAddress(device)) entry.address = device.pci!;
    return entry;
  });
}

function pciControllers(lists: DeviceLists): PciController[] {
  return lists.controllers
    .filter(({ type }) => type === 'pci')
    .map((controller) => {
      const entry: PciController = { index: controller.index!, model: controller.model };
      if (controller.element) entry.element = controller.element;
      if (hasPciAddress(controller)) entry.address = controller.pci!;
      return entry;
    })
    .toSorted((a, b) => a.index - b.index);
}
