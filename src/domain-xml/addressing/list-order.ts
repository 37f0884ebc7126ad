import { attribute, childNamed, type XmlElement } from '../xml-reader.js';
import { readDevice } from './device-element.js';
import { Unpredictable, usb2Function, type Controller, type GuestDevice } from './guest-device.js';
import { MAX_BUSES } from './pci-buses.js';

/**
 * The index of a disk by its name: `sda` is 0, `sdab` 27; -1 for a name that libvirt cannot read (`virDiskNameToIndex`).
 */
export function diskIndex(target: string): number {
  const letters = /^(?:fd|hd|vd|sd|xvd|ubd)([a-z]+)[0-9]*$/.exec(target)?.[1];
  if (letters === undefined) return -1;
  // Libvirt's int overflows.
  if (letters.length > 6) throw new Unpredictable(`the disk name '${target.slice(0, 40)}' is not covered`);
  return [...letters].reduce((index, letter) => (index + 1) * 26 + letter.charCodeAt(0) - 97, -1);
}

export function diskTarget(disk: GuestDevice): string {
  return attribute(childNamed(disk.element, 'target'), 'dev') ?? '';
}

const BUS_BY_PREFIX: readonly (readonly [string, string])[] = [
  ['hd', 'ide'],
  ['sd', 'scsi'],
  ['vd', 'virtio'],
  ['xvd', 'xen'],
  ['ubd', 'uml'],
];

/** Where the document names no bus libvirt goes by the name (`virDomainDiskDefPostParse`). */
function diskBus(element: XmlElement): string {
  const target = childNamed(element, 'target');
  const written = attribute(target, 'bus');
  if (written !== undefined && written !== 'none') return written;
  if (attribute(element, 'device') === 'floppy') return 'fdc';
  const name = attribute(target, 'dev') ?? '';
  return BUS_BY_PREFIX.find(([prefix]) => name.startsWith(prefix))?.[1] ?? 'ide';
}

/** Disks of a bus stand together, by name (`virDomainDiskInsert`). */
export function readDisks(elements: XmlElement[]): GuestDevice[] {
  const disks: GuestDevice[] = [];
  const sortedBy = new Map<GuestDevice, string>();
  for (const element of elements) {
    const target = childNamed(element, 'target');
    const bus = diskBus(element);
    const virtioModel = attribute(element, 'model');
    const model = bus === 'virtio' ? (virtioModel ?? bus) : bus;
    const disk = readDevice('disk', `disk:${attribute(target, 'dev') ?? ''}`, element, model);
    // Libvirt sorts before it fills in a bus that is left out.
    sortedBy.set(disk, attribute(target, 'bus') ?? 'none');
    let insertAt = -1;
    for (let at = disks.length - 1; at >= 0; at--) {
      if (sortedBy.get(disks[at]!) !== sortedBy.get(disk)) continue;
      if (diskIndex(diskTarget(disks[at]!)) > diskIndex(diskTarget(disk))) insertAt = at;
      else if (insertAt === -1) insertAt = at + 1;
    }
    disks.splice(insertAt === -1 ? disks.length : insertAt, 0, disk);
  }
  return disks;
}

/** Controllers of a type stand together, by index, a USB 2 controller before its companions (`virDomainControllerInsert`). */
export function readControllers(elements: XmlElement[]): Controller[] {
  const controllers: Controller[] = [];
  for (const element of elements) {
    const controller = readController(element);
    let insertAt = -1;
    for (let at = controllers.length - 1; at >= 0; at--) {
      const current = controllers[at]!;
      if (current.type !== controller.type) continue;
      if (controller.index === undefined) {
        insertAt = at + 1;
        break;
      }
      const currentIndex = current.index ?? -1;
      const before = !controller.companion && current.companion && currentIndex === controller.index;
      if (currentIndex > controller.index || before) insertAt = at;
      else if (insertAt === -1) insertAt = at + 1;
    }
    controllers.splice(insertAt === -1 ? controllers.length : insertAt, 0, controller);
  }
  return controllers;
}

function readController(element: XmlElement): Controller {
  // Without a type libvirt takes the first of its list.
  const type = attribute(element, 'type') ?? 'ide';
  const written = attribute(element, 'index');
  const index = written === undefined ? undefined : /^\s*\+?(\d{1,9})$/.exec(written)?.[1];
  if (written !== undefined && (index === undefined || Number(index) >= MAX_BUSES)) {
    throw new Unpredictable(
      `controller index '${written.slice(0, 40)}' is not covered (0 to ${MAX_BUSES - 1})`,
    );
  }
  const base = readDevice('controller', '', element, attribute(element, 'model'));
  if (type === 'usb' && base.model === 'none') forgetAddress(base);
  // Field by field: spread over objects of several shapes, V8 makes a shape for each controller, and the collector pays.
  const controller: Controller = {
    kind: 'controller',
    key: base.key,
    element,
    model: base.model,
    addressType: base.addressType,
    pci: base.pci,
    flags: base.flags,
    type,
    index: index === undefined ? undefined : Number(index),
    companion: childNamed(element, 'master') !== undefined,
  };
  if ((usb2Function(controller) ?? 7) !== 7) controller.companion = true;
  return controller;
}

/** The primary video device comes first (`virDomainDefParseXML`). */
export function readVideos(elements: XmlElement[]): GuestDevice[] {
  const ordered: XmlElement[] = [];
  for (const element of elements) {
    if (attribute(childNamed(element, 'model'), 'primary') === 'yes') ordered.unshift(element);
    else ordered.push(element);
  }
  const videos = ordered.map((element, ordinal) => {
    const type = attribute(childNamed(element, 'model'), 'type');
    return readDevice('video', `video:${ordinal}`, element, type === 'default' ? '' : type);
  });
  if (videos[0]?.model === 'none') forgetAddress(videos[0]);
  return videos;
}

/** A device of model `none` is not there, whatever address is written. */
function forgetAddress(device: GuestDevice): void {
  device.addressType = undefined;
  device.pci = undefined;
}
