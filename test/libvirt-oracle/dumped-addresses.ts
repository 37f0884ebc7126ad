import { readPciAddress } from '../../src/domain-xml/pci-address.js';
import { attribute, childNamed, descend, readXml, type XmlElement } from '../../src/domain-xml/xml-reader.js';
import { formatBdf } from '../../src/pci/bdf.js';

/**
 * What libvirt's own document says: the PCI address of each device that has one, by the keys of the model, and `model` of
 * each PCI controller. It shares nothing with the model but the reading of an address.
 */
export function dumpedAddresses(xml: string): Map<string, string> {
  const dumped = new Map<string, string>();
  const counts = new Map<string, number>();
  for (const element of descend(readXml(xml), 'devices')!.children) {
    // A console can be the first serial device under another name.
    if (element.name === 'console') continue;
    const ordinal = counts.get(element.name) ?? 0;
    counts.set(element.name, ordinal + 1);
    const key = keyOf(element, ordinal);
    const address = childNamed(element, 'address');
    if (address && attribute(address, 'type') === 'pci') {
      dumped.set(key, formatBdf(readPciAddress(address, xml)));
    }
    if (element.name === 'controller' && attribute(element, 'type') === 'pci') {
      dumped.set(`model of ${key}`, attribute(element, 'model')!);
    }
  }
  return dumped;
}

function keyOf(element: XmlElement, ordinal: number): string {
  if (element.name === 'disk') return `disk:${attribute(childNamed(element, 'target'), 'dev')}`;
  if (element.name !== 'controller') return `${element.name}:${ordinal}`;
  const type = attribute(element, 'type');
  const numbered = `controller:${type}:${attribute(element, 'index')}`;
  return type === 'usb' ? `${numbered}:${attribute(element, 'model')}` : numbered;
}
