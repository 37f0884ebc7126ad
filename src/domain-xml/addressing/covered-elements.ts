import { attribute, childNamed, namespaceOf, type XmlElement } from '../xml-reader.js';
import { Unpredictable, type DeviceKind } from './guest-device.js';

/** Elements of `<devices>` that are no PCI devices on x86 and bring none with them, or only through `implicit-devices.ts`. */
const NOT_PCI = new Set([
  'emulator',
  'lease',
  'smartcard',
  'parallel',
  'console',
  'channel',
  'graphics',
  'audio',
  'tpm',
  'nvram',
  'hub',
  'redirdev',
  'redirfilter',
  'panic',
]);

/** Elements that libvirt accepts once per domain. */
const AT_MOST_ONE = new Set(['watchdog', 'memballoon', 'iommu', 'vsock']);

const KINDS = new Set<string>([
  'controller',
  'disk',
  'filesystem',
  'hostdev',
  'input',
  'interface',
  'iommu',
  'memballoon',
  'memory',
  'rng',
  'serial',
  'shmem',
  'sound',
  'video',
  'vsock',
  'watchdog',
] satisfies DeviceKind[]);

/**
 * Libvirt's XPath finds only names without a namespace; who puts one on a device makes it invisible.
 *
 * @param inherited whether names without a prefix are in a namespace around the element
 */
function refuseNamespaces(element: XmlElement, inherited: boolean): void {
  let hidden = inherited;
  // A walk up for each element would take longer than all else here.
  if (element.attributes.has('xmlns')) hidden = element.attributes.get('xmlns')!.value !== '';
  if (element.name.includes(':') ? namespaceOf(element) !== '' : hidden) {
    throw new Unpredictable(`<${element.name.slice(0, 40)}> has a namespace, which hides it from libvirt`);
  }
  for (const child of element.children) refuseNamespaces(child, hidden);
}

/** The first serial device once more, under its other name, with the same address (`virDomainSkipBackcompatConsole`). */
function isSerialConsole(element: XmlElement): boolean {
  const target = attribute(childNamed(element, 'target'), 'type') ?? 'serial';
  return element.name === 'console' && target === 'serial';
}

/** @throws Unpredictable for a device element that the model does not know, or knows only off the PCI bus */
function checkElement(element: XmlElement): void {
  if (KINDS.has(element.name)) return;
  if (!NOT_PCI.has(element.name)) {
    throw new Unpredictable(`<${element.name.slice(0, 40)}> devices are not covered`);
  }
  // The later panic model pvpanic is a PCI device.
  const isPanicOnPci =
    element.name === 'panic' && !['isa', 'hyperv', undefined].includes(attribute(element, 'model'));
  if (isPanicOnPci || attribute(childNamed(element, 'address'), 'type') === 'pci') {
    throw new Unpredictable(`a <${element.name}> on a PCI bus is not covered`);
  }
}

/** @throws Unpredictable where one of the device elements is not covered by the model */
export function checkCovered(elements: readonly XmlElement[]): void {
  const hasSerial = elements.some(({ name }) => name === 'serial');
  for (const element of elements) {
    refuseNamespaces(element, element.parent !== undefined && namespaceOf(element.parent) !== '');
    if (!(hasSerial && isSerialConsole(element))) checkElement(element);
  }
  const met = new Set<string>();
  for (const { name } of elements) {
    if (!AT_MOST_ONE.has(name)) continue;
    if (met.has(name)) throw new Unpredictable(`more than one ${name} is not covered`);
    met.add(name);
  }
}
