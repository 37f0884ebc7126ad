import { formatBdf } from '../pci/bdf.js';
import type { DomainDocument } from './domain-document.js';
import { readPciAddress, type PciAddress } from './pci-address.js';
import type { DocumentEdit } from './rewrite/document-edit.js';
import { attribute, childNamed, childrenNamed, readXml, type XmlElement } from './xml-reader.js';

/** Models of the controllers that edits add to put devices on a conventional bus. */
const BRIDGES = new Set(['pcie-to-pci-bridge', 'dmi-to-pci-bridge']);

/**
 * What edits did to a domain, told by what libvirt keeps however it reformats the document: indexes of controllers and
 * guest addresses. Addresses and controllers that only write out libvirt's own choice are not in it, since libvirt would
 * choose the same again.
 */
export interface PlacementRecord {
  /** Indexes of the bridges that were added. */
  bridges: number[];
  /** The assigned devices that were moved: to which guest address, and their `<address>` before; null where they had none. */
  devices: { at: string; earlier: string | null }[];
}

/** What is recorded of an edit. */
export type RecordedEdit = Pick<DocumentEdit, 'kind' | 'splices' | 'change'>;

/**
 * The record of edits of a document; undefined where they did more than to place devices (a change of the machine type).
 */
export function recordPlacement(
  { text, assignedDevices }: DomainDocument,
  edits: readonly RecordedEdit[],
): PlacementRecord | undefined {
  const record: PlacementRecord = { bridges: [], devices: [] };
  for (const { change } of edits) {
    if (!change) return undefined;
    if (change.kind === 'add') {
      if (BRIDGES.has(attribute(change.element, 'model') ?? '')) {
        record.bridges.push(Number(attribute(change.element, 'index')));
      }
      continue;
    }
    if (!assignedDevices.some(({ element }) => element === change.device)) continue;
    const address = childNamed(change.device, 'address');
    record.devices.push({
      at: formatBdf(readPciAddress(change.address, '')),
      earlier: address ? text.slice(address.start, address.end) : null,
    });
  }
  return record;
}

/** Adds what a later round of edits did. A device that was moved twice goes back to where it was first. */
export function joinPlacements(first: PlacementRecord, then: PlacementRecord): PlacementRecord {
  const devices = then.devices.map(({ at, earlier }) => {
    const before = first.devices.find((device) => device.at === addressOf(earlier));
    return { at, earlier: before ? before.earlier : earlier };
  });
  const movedOn = new Set(then.devices.map(({ earlier }) => addressOf(earlier)));
  return {
    bridges: [...first.bridges, ...then.bridges],
    devices: [...first.devices.filter(({ at }) => !movedOn.has(at)), ...devices],
  };
}

export function isPlacementRecord(value: unknown): value is PlacementRecord {
  const record = value as PlacementRecord;
  return (
    Array.isArray(record?.bridges) &&
    record.bridges.every((index) => Number.isInteger(index) && index > 0 && index <= 255) &&
    Array.isArray(record.devices) &&
    record.devices.every(
      (device) =>
        typeof device?.at === 'string' &&
        (device.earlier === null || (typeof device.earlier === 'string' && isAddress(device.earlier))),
    )
  );
}

/** Where a controller, a device, or whatever else has a PCI address, is in the guest; undefined where that is not told. */
export function guestAddressOf(device: XmlElement, text: string): PciAddress | undefined {
  const address = childNamed(device, 'address');
  return address && attribute(address, 'type') === 'pci' ? readPciAddress(address, text) : undefined;
}

/** The bridge with this index, if the domain has it. */
export function bridgeOf(devices: XmlElement | undefined, index: number): XmlElement | undefined {
  return childrenNamed(devices, 'controller').find(
    (controller) =>
      attribute(controller, 'type') === 'pci' &&
      Number(attribute(controller, 'index')) === index &&
      BRIDGES.has(attribute(controller, 'model') ?? ''),
  );
}

function addressOf(earlier: string | null): string | undefined {
  return earlier === null ? undefined : formatBdf(readPciAddress(readXml(earlier), earlier));
}

/** Whether a text is just an `<address>` with numbers in range: it is put into a document as it is. */
function isAddress(text: string): boolean {
  try {
    const element = readXml(text);
    readPciAddress(element, text);
    return element.name === 'address' && element.start === 0 && element.end === text.length;
  } catch {
    return false;
  }
}
