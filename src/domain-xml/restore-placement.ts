import { formatBdf } from '../pci/bdf.js';
import { readDomain, type DomainDocument } from './domain-document.js';
import { removeElement, replaceElement } from './insertion.js';
import { removeFilter } from './filter-record.js';
import { findMetadata, readUndoRecord, type UndoRecord } from './metadata.js';
import { bridgeOf, guestAddressOf, type PlacementRecord } from './placement-record.js';
import { applySplices, type Splice } from './splice.js';
import { attribute, childNamed, type XmlElement } from './xml-reader.js';

/**
 * - `untouched`: the document carries no edits of ours
 * - `restored`: the document to define instead, what it takes back in words, the host functions that it moves, and
 *   whether a guest would find other hardware than with the edits
 * - `kept`: the edits cannot be taken back, and why
 */
export type Restoration =
  | { outcome: 'untouched' }
  | { outcome: 'restored'; xml: string; steps: string[]; devices: string[]; guestSees: boolean }
  | { outcome: 'kept'; reason: string };

/**
 * Takes our edits back from a document that libvirt has read and written since, which no splice of the original text
 * fits: moved devices get the address that they had, or none, our bridges go where nothing sits on them any more, and so
 * does our metadata. What others changed meanwhile stays. Where that would leave two devices at one address, nothing is
 * taken back.
 *
 * @throws LocatedError where the document cannot be read
 */
export function restorePlacement(text: string): Restoration {
  const document = readDomain(text);
  const own = findMetadata(document.root);
  if (!own) return { outcome: 'untouched' };
  const record = readUndoRecord(own);
  if (!record) return { outcome: 'kept', reason: 'the record of what was edited is missing or damaged' };
  if (!record.placement) {
    return {
      outcome: 'kept',
      reason:
        'the edits changed the machine type, and with it all of the guest’s hardware: define it from its original XML',
    };
  }
  return restore(document, own, record.placement, record.filter);
}

function restore(
  document: DomainDocument,
  own: XmlElement,
  record: PlacementRecord,
  filter: UndoRecord['filter'],
): Restoration {
  const { text } = document;
  const steps: string[] = [];
  const devices: string[] = [];
  const splices: Splice[] = [removeMetadata(document, own)];
  const returned = new Set<XmlElement>();
  for (const { at, earlier } of record.devices) {
    const device = document.assignedDevices.find(
      ({ guestAddress }) => guestAddress && formatBdf(guestAddress) === at,
    );
    // Somebody took it away or put it elsewhere since: there is nothing of ours left to take back.
    if (!device) continue;
    const address = childNamed(device.element, 'address')!;
    const name = device.source ?? device.reference ?? device.place;
    returned.add(device.element);
    if (device.source !== undefined) devices.push(device.source);
    splices.push(earlier === null ? removeElement(text, address) : replaceElement(address, earlier));
    steps.push(
      `${device.element.name} ${name} leaves guest address ${at}${earlier === null ? '' : ' for the one it had'}`,
    );
  }
  for (const index of record.bridges) {
    const bridge = bridgeOf(document.devices, index);
    if (!bridge) continue;
    const sitting = document.devices!.children.find(
      (device) => !returned.has(device) && guestAddressOf(device, text)?.bus === index,
    );
    if (sitting) {
      return {
        outcome: 'kept',
        reason: `something that we did not put there sits on bridge ${index}: ${describe(sitting)}`,
      };
    }
    splices.push(removeElement(text, bridge));
    steps.push(`${attribute(bridge, 'model')} ${index} is removed`);
  }
  const guestSees = steps.length > 0;
  const filterSplices = filter ? removeFilter(document, filter) : [];
  splices.push(...filterSplices);
  if (filterSplices.length > 0) steps.push('QEMU filters no more');
  const xml = applySplices(text, splices);
  const shared = sharedAddress(readDomain(xml));
  if (shared)
    return { outcome: 'kept', reason: `${shared} would get the guest address that another has now` };
  return { outcome: 'restored', xml, steps: [...steps, 'our metadata is removed'], devices, guestSees };
}

/** Our element, and `<metadata>` around it where nothing else is in there. */
function removeMetadata({ text }: DomainDocument, own: XmlElement): Splice {
  const around = own.parent!;
  return removeElement(text, around.children.length === 1 ? around : own);
}

/** A device whose stated address another device states as well. */
function sharedAddress({ text, devices }: DomainDocument): string | undefined {
  const taken = new Set<string>();
  for (const device of devices?.children ?? []) {
    const address = guestAddressOf(device, text);
    // All zeroes ask libvirt to choose.
    if (!address || (address.bus === 0 && address.slot === 0)) continue;
    const key = formatBdf(address);
    if (taken.has(key)) return `${describe(device)} at ${key}`;
    taken.add(key);
  }
  return undefined;
}

function describe(device: XmlElement): string {
  const what = attribute(device, 'type') ?? attribute(device, 'model') ?? '';
  return `${device.name} ${what}`.trim();
}
