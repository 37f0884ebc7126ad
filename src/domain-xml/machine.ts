import { commandlineArguments, QEMU_NAMESPACE } from './qemu-arguments.js';
import {
  attribute,
  childNamed,
  childrenNamed,
  descend,
  localName,
  namespaceOf,
  type XmlElement,
} from './xml-reader.js';

/**
 * What a machine type means for config space: `q35` has PCI Express, `i440fx` only conventional PCI, `other` is a
 * machine we do not know, `unspecified` leaves the choice to libvirt.
 */
export type MachineFamily = 'q35' | 'i440fx' | 'other' | 'unspecified';

export interface Machine {
  arch: string | undefined;
  /** As written, for example `pc-q35-7.2`. */
  type: string | undefined;
  family: MachineFamily;
}

const X86 = new Set(['x86_64', 'i686', undefined]);

/** Names of libvirt's `qemuDomainMachineIsQ35` and `qemuDomainMachineIsI440FX` (qemu_domain.c). */
export function machineFamily(arch: string | undefined, type: string | undefined): MachineFamily {
  if (!X86.has(arch)) return 'other';
  if (type === undefined) return 'unspecified';
  if (type === 'q35' || type.startsWith('pc-q35')) return 'q35';
  if (type === 'pc' || /^(pc-\d|pc-i440|rhel)/.test(type)) return 'i440fx';
  return 'other';
}

export function readMachine(domain: XmlElement): Machine {
  const type = descend(domain, 'os', 'type');
  const arch = attribute(type, 'arch');
  const machine = attribute(type, 'machine');
  return { arch, type: machine, family: machineFamily(arch, machine) };
}

/** The i440fx machine of the same QEMU version: `pc-q35-7.2` -> `pc-i440fx-7.2`, `q35` -> `pc`. */
export function i440fxCounterpart(type: string): string {
  return type === 'q35' ? 'pc' : type.replace(/^pc-q35/, 'pc-i440fx');
}

/** A part of the guest that only a q35 machine has, and why that is so. */
export interface NeedsQ35 {
  what: string;
  element: XmlElement;
}

/**
 * What keeps a q35 guest from becoming an i440fx one. i440fx has no SMM, so no Secure Boot with protected variables; its
 * PCI is conventional, so PCI Express controllers have no place; libvirt offers vIOMMU devices on q35 only.
 */
export function reasonsToStayQ35(domain: XmlElement): NeedsQ35[] {
  const needs: NeedsQ35[] = [];
  const add = (what: string, element: XmlElement | undefined) => {
    if (element) needs.push({ what, element });
  };
  const os = childNamed(domain, 'os');
  const loader = childNamed(os, 'loader');
  const features = childNamed(domain, 'features');
  const smm = childNamed(features, 'smm');
  const devices = childNamed(domain, 'devices');

  if (attribute(loader, 'secure') === 'yes') add('Secure Boot needs SMM, which i440fx does not have', loader);
  if (smm && attribute(smm, 'state') !== 'off') add('SMM is switched on, which i440fx does not have', smm);
  for (const feature of childrenNamed(childNamed(os, 'firmware'), 'feature')) {
    if (attribute(feature, 'name') === 'secure-boot' && attribute(feature, 'enabled') === 'yes') {
      add('the firmware must offer Secure Boot, which needs SMM', feature);
    }
  }
  if (/secboot|\.ms\.|secure/i.test(loader?.text ?? ''))
    add('the firmware is built for Secure Boot with SMM', loader);
  add('libvirt offers a vIOMMU on q35 only', childNamed(devices, 'iommu'));
  add('confidential guests are set up for q35', childNamed(domain, 'launchSecurity'));
  for (const controller of childrenNamed(devices, 'controller')) {
    const model = attribute(controller, 'model') ?? '';
    if (['pcie-expander-bus', 'pcie-switch-upstream-port', 'pcie-switch-downstream-port'].includes(model)) {
      add(`a ${model} exists in PCI Express machines only`, controller);
    }
  }
  for (const watchdog of childrenNamed(devices, 'watchdog')) {
    if (attribute(watchdog, 'model') === 'itco')
      add('the iTCO watchdog is part of the q35 chipset', watchdog);
  }
  const commandline = domain.children.find(
    (child) => localName(child) === 'commandline' && namespaceOf(child) === QEMU_NAMESPACE,
  );
  for (const { element, value } of commandline ? commandlineArguments(commandline) : []) {
    if (/\bbus"?[=:]/.test(value)) add('raw QEMU arguments name a bus of this machine', element);
  }
  return needs;
}
