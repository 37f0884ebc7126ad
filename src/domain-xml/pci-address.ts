import { LocatedError } from '../located-error.js';
import type { BdfParts } from '../pci/bdf.js';
import { attribute, placeOf, type XmlElement } from './xml-reader.js';

/**
 * A PCI address as libvirt writes it in XML: of a host device in `<source>`, of a guest's device in `<address>`, where
 * `bus` is the index of the PCI controller that it is plugged into.
 */
export type PciAddress = BdfParts;

export function samePciAddress(a: PciAddress | undefined, b: PciAddress | undefined): boolean {
  if (!a || !b) return a === b;
  return a.domain === b.domain && a.bus === b.bus && a.slot === b.slot && a.function === b.function;
}

/**
 * Reads a number as libvirt does (`virStrToLong_uip` with base 0): `0x` is hexadecimal, a leading `0` octal, else
 * decimal. Reading it differently would let a document name one device to us and another to libvirt.
 */
export function parseLibvirtUint(text: string): number | undefined {
  const plain = plainHexadecimal(text);
  if (plain !== undefined) return plain;
  const match = /^[ \t\n\v\f\r]*\+?(?:0x([0-9a-f]+)|(0[0-7]*)|([1-9][0-9]*))$/i.exec(text);
  if (!match) return undefined;
  const value = match[1] ? parseInt(match[1], 16) : match[2] ? parseInt(match[2], 8) : Number(match[3]);
  return value <= 0xffffffff ? value : undefined;
}

/** `0x` and one to eight lower-case digits: how libvirt writes it, and nearly everybody else. */
function plainHexadecimal(text: string): number | undefined {
  const { length } = text;
  if (length < 3 || length > 10 || !text.startsWith('0x')) return undefined;
  let value = 0;
  for (let at = 2; at < length; at += 1) {
    const code = text.charCodeAt(at);
    if (code >= 0x30 && code <= 0x39) value = value * 16 + code - 0x30;
    else if (code >= 0x61 && code <= 0x66) value = value * 16 + code - 0x57;
    else return undefined;
  }
  return value;
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
