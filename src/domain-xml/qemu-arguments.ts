import { parseBdf, type Bdf } from '../pci/bdf.js';
import { attribute, localName, namespaceOf, type XmlElement } from './xml-reader.js';

export const QEMU_NAMESPACE = 'http://libvirt.org/schemas/domain/qemu/1.0';

/** A host PCI device that a domain gets past libvirt's device elements. */
export interface RawQemuDevice {
  element: XmlElement;
  /** The argument as written, cut to 200 characters. */
  argument: string;
  /** Absent where the argument does not say which function (`fd=`, a file that is read at start). */
  host?: Bdf;
}

/** Options whose content QEMU reads from elsewhere: what they add cannot be seen in the domain XML. */
const OPAQUE_OPTION = /^--?(readconfig|set)(=|$)/;
const VFIO = /\bvfio-pci(-nohotplug)?\b|\bnvme:\/\/|\bdriver=nvme\b|"driver"\s*:\s*"nvme"/;
/** QEMU reads `host=` and `sysfsdev=` of vfio-pci without a domain as domain 0 (`vfio_pci_realize`). */
const HOST =
  /(?:(?:host|device)"?\s*[=:]\s*"?|sysfsdev"?\s*[=:]\s*"?[^",]*\/|nvme:\/\/)((?:[0-9a-f]{1,8}:)?[0-9a-f]{1,2}:[0-9a-f]{1,2}\.[0-7])/i;

/** Finds host PCI devices in `<qemu:commandline>` and in properties set by `<qemu:override>`. */
export function findRawQemuDevices(domain: XmlElement): RawQemuDevice[] {
  return domain.children
    .filter((child) => namespaceOf(child) === QEMU_NAMESPACE)
    .flatMap((child) => {
      if (localName(child) === 'commandline') return inArguments(child);
      return localName(child) === 'override' ? inOverrides(child) : [];
    });
}

/** `<qemu:arg value='...'/>` elements in order; those without a value count as empty, as in libvirt. */
export function commandlineArguments(commandline: XmlElement): { element: XmlElement; value: string }[] {
  return commandline.children
    .filter((child) => localName(child) === 'arg')
    .map((element) => ({ element, value: attribute(element, 'value') ?? '' }));
}

function inArguments(commandline: XmlElement): RawQemuDevice[] {
  const found: RawQemuDevice[] = [];
  let option = '';
  for (const { element, value } of commandlineArguments(commandline)) {
    // `-global vfio-pci.PROPERTY=VALUE` sets a property of a device and adds none.
    if (
      OPAQUE_OPTION.test(value) ||
      (VFIO.test(value) && !/^--?global/.test(option) && !value.startsWith('-global='))
    ) {
      found.push(rawDevice(element, value));
    }
    option = value;
  }
  return found;
}

function inOverrides(override: XmlElement): RawQemuDevice[] {
  const found: RawQemuDevice[] = [];
  const visit = (element: XmlElement) => {
    const name = attribute(element, 'name');
    if (localName(element) === 'property' && (name === 'host' || name === 'sysfsdev')) {
      found.push(rawDevice(element, `${name}=${attribute(element, 'value') ?? ''}`));
    }
    element.children.forEach(visit);
  };
  visit(override);
  return found;
}

/** QEMU's own arguments are some hundred characters long; a longer one is not searched for an address. */
const MAX_SEARCHED = 4096;

function rawDevice(element: XmlElement, argument: string): RawQemuDevice {
  const host = argument.length > MAX_SEARCHED ? undefined : HOST.exec(argument)?.[1];
  const bdf = host === undefined ? undefined : parseBdf(host);
  return { element, argument: argument.slice(0, 200), ...(bdf && { host: bdf }) };
}
