import { LocatedError } from '../located-error.js';
import { formatBdf, type BdfParts } from '../pci/bdf.js';
import { attribute, placeOf, type XmlElement } from './xml-reader.js';

/**
 * A PCI address as libvirt writes it in XML: of a host device in `<source>`, of a guest's device in `<address>`, where
 * `bus` is the index of the PCI controller that it is plugged into.
 */
export type PciAddress = BdfParts;

export function samePciAddress(a: PciAddress | undefined, b: PciAddress | undefined): boolean {
  if (!a || !b) return a === b;
  return formatBdf(a) === formatBdf(b);
}

/**
 * Reads a number as libvirt does (`virStrToLong_uip` with base 0): `0x` is hexadecimal, a leading `0` octal, else
 * decimal. Reading it differently would let a document name one device to us and another to libvirt.
 */
export function parseLibvirtUint(text: string): number | undefined {
  // How libvirt writes it, and nearly everybody else.
  if (/^0x[0-9a-f]{1,8}$/.test(text)) return Number(text);
  const match = /^[ \t\n\v\f\r]*\+?(?:0x([0-9a-f]+)|(0[0-7]*)|([1-9][0-9]*))$/i.exec(text);
  if (!match) return undefined;
  const value = match[1] ? parseInt(match[1], 16) : match[2] ? parseInt(match[2], 8) : Number(match[3]);
  return value <= 0xffffffff ? value : undefined;
}

const LIMITS: Record<keyof PciAddress, number> = { domain: 0xffffffff, bus: 0xff, slot: 0x1f, function: 7 };

/**
 * Reads the four numbers of an `<address>` element; what is left out is 0, as in libvirt (`virPCIDeviceAddressParseXML`).
 *
 * @throws LocatedError where a number is not one, or out of range
 */
export function readPciAddress(element: XmlElement, documentText: string): PciAddress {
  const address: PciAddress = { domain: 0, bus: 0, slot: 0, function: 0 };
  for (const field of ['domain', 'bus', 'slot', 'function'] as const) {
    const text = attribute(element, field);
    if (text === undefined) continue;
    const value = parseLibvirtUint(text);
    if (value === undefined || value > LIMITS[field]) {
      throw new LocatedError(
        `${field}='${text.slice(0, 40)}' is not a PCI ${field} number (0 to 0x${LIMITS[field].toString(16)})`,
        placeOf(documentText, element.attributes.get(field)!.valueStart),
        'Write it as libvirt does, for example 0x0a.',
      );
    }
    address[field] = value;
  }
  return address;
}
