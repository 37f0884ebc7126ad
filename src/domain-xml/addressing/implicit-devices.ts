import { attribute, childNamed, childrenNamed, type XmlElement } from '../xml-reader.js';
import { known, type HostKnowledge } from './connect-flags.js';
import { addressNumber } from './device-element.js';
import { diskIndex, diskTarget } from './list-order.js';
import { Unpredictable, usb2Function, type Controller, type DeviceLists } from './guest-device.js';
import type { GuestDevice } from './guest-device.js';
import { MAX_BUSES } from './pci-buses.js';

/** Ports of a virtio-serial controller; one is kept for consoles. */
const VIRTIO_SERIAL_PORTS = 31;

/** SCSI units per bus of libvirt's QEMU driver, the controller's own not counted (`SCSI_NARROW_BUS_MAX_CONT_UNIT`). */
const SCSI_UNITS = 7;

/**
 * Adds what libvirt adds by itself, in its order: indexes of controllers, default devices, controllers that disks and
 * other devices need (`virDomainDefPostParse`).
 */
export function addImplicitDevices(
  domain: XmlElement,
  lists: DeviceLists,
  express: boolean,
  host: HostKnowledge,
): void {
  const { controllers } = lists;
  addScsiHostdevControllers(lists, writtenControllerOf);
  numberControllers(controllers);
  addDefaultDevices(lists, express, host);

  const places = placeScsiHostdevs(lists);
  nameDefaultScsiModel(controllers, express, host);
  for (const [type, bus, perController] of [
    ['scsi', 'scsi', SCSI_UNITS],
    ['fdc', 'fdc', 2],
    ['ide', 'ide', 4],
    ['sata', 'sata', 6],
  ] as const) {
    addDiskControllers(lists, type, bus, perController);
  }
  addVirtioSerialControllers(domain, controllers);
  addScsiHostdevControllers(lists, (hostdev) => places.get(hostdev) ?? 0);
  nameDefaultScsiModel(controllers, express, host);
  addVideo(domain, lists);
  for (const controller of controllers) controller.key = controllerKey(controller);
}

/** Several USB controllers may share an index. */
function controllerKey({ type, index, model }: Controller): string {
  return type === 'usb' ? `controller:usb:${index}:${model}` : `controller:${type}:${index}`;
}

export function findController(
  controllers: Controller[],
  type: string,
  index: number,
): Controller | undefined {
  return controllers.find((controller) => controller.type === type && controller.index === index);
}

/** `virDomainDefMaybeAddController` */
export function ensureController(
  controllers: Controller[],
  type: string,
  index: number,
  model = '',
): Controller | undefined {
  if (index >= MAX_BUSES) throw new Unpredictable(`${type} controller ${index} is not covered`);
  if (findController(controllers, type, index)) return undefined;
  const added: Controller = { kind: 'controller', key: '', type, index, model, companion: false, flags: 0 };
  added.key = controllerKey(added);
  controllers.push(added);
  return added;
}

/** Gives each controller without an index the lowest free one (`virDomainAssignControllerIndexes`). */
function numberControllers(controllers: Controller[]): void {
  for (const [at, controller] of controllers.entries()) {
    if (controller.index !== undefined) continue;
    controller.index = usb2Partner(controllers, at)?.index ?? lowestFreeIndex(controllers, controller.type);
  }
}

/** Parts of a USB 2 controller belong to the one right before them, unless it has such a part already. */
function usb2Partner(controllers: Controller[], at: number): Controller | undefined {
  const controller = controllers[at]!;
  if (usb2Function(controller) === undefined) return undefined;
  const previous = controllers.slice(0, at).findLast((other) => other.type === 'usb');
  if (!previous || usb2Function(previous) === undefined) return undefined;
  const isDouble = controllers.some(
    (other) => other.type === 'usb' && other.index === previous.index && other.model === controller.model,
  );
  return isDouble ? undefined : previous;
}

function lowestFreeIndex(controllers: Controller[], type: string): number {
  let index = 0;
  while (findController(controllers, type, index)) index++;
  return index;
}

/** `qemuDomainDefAddDefaultDevices`, for x86 */
function addDefaultDevices(lists: DeviceLists, express: boolean, host: HostKnowledge): void {
  const { controllers } = lists;
  if (!findController(controllers, 'usb', 0)) addDefaultUsb(controllers, express, host);
  if (express) ensureController(controllers, 'sata', 0);
  const root = express ? 'pcie-root' : 'pci-root';
  ensureController(controllers, 'pci', 0, root);
  for (const { type, index, model } of controllers) {
    if (type !== 'pci') continue;
    if ((index === 0) !== (model === root)) {
      throw new Unpredictable(
        `libvirt would refuse PCI controller ${index}: this machine has ${root} at index 0`,
      );
    }
  }
  if (lists.memballoons.length === 0) {
    lists.memballoons.push({ kind: 'memballoon', key: 'memballoon:0', model: 'virtio', flags: 0 });
  }
  for (const controller of controllers) {
    if (controller.type === 'usb' && controller.model === '') controller.model = 'piix3-uhci';
  }
}

function addDefaultUsb(controllers: Controller[], express: boolean, host: HostKnowledge): void {
  if (!express) {
    ensureController(controllers, 'usb', 0, 'piix3-uhci');
    return;
  }
  const has = (name: string) =>
    known(host.hasDevice?.(name), `whether QEMU has ${name}, the default USB controller`);
  if (has('qemu-xhci')) ensureController(controllers, 'usb', 0, 'qemu-xhci');
  else if (has('nec-usb-xhci')) ensureController(controllers, 'usb', 0, 'nec-xhci');
  else throw new Unpredictable('a QEMU without any xHCI controller is not covered');
}

/** `qemuDomainGetSCSIControllerModel` */
function nameDefaultScsiModel(controllers: Controller[], express: boolean, host: HostKnowledge): void {
  for (const controller of controllers) {
    if (controller.type !== 'scsi' || (controller.model !== '' && controller.model !== 'auto')) continue;
    // On a conventional bus all models go to the same place.
    const hasLsi =
      !express ||
      known(host.hasDevice?.('lsi53c895a'), 'whether QEMU has lsi53c895a, the default SCSI controller');
    controller.model = hasLsi ? 'lsilogic' : 'virtio-scsi';
  }
}

/** Which controller a disk hangs on (`virDomainDiskDefAssignAddress`); undefined for one without a drive address. */
function diskController(disk: GuestDevice, perController: number): number | undefined {
  if (disk.addressType === 'drive') return addressNumber(disk.element, 'controller');
  if (disk.addressType !== undefined) return undefined;
  const index = diskIndex(diskTarget(disk));
  if (index < 0)
    throw new Unpredictable(`libvirt cannot place a disk with this name ('${disk.key.slice(0, 40)}')`);
  return Math.floor(index / perController);
}

/** `virDomainDefAddDiskControllersForType` */
function addDiskControllers(lists: DeviceLists, type: string, bus: string, perController: number): void {
  const needed = lists.disks
    .filter((disk) => disk.model === bus)
    .map((disk) => diskController(disk, perController) ?? -1);
  addUpTo(lists.controllers, type, Math.max(-1, ...needed));
}

function addUpTo(controllers: Controller[], type: string, last: number, model = ''): void {
  for (let index = 0; index <= last; index++) ensureController(controllers, type, index, model);
}

/** `virDomainDefMaybeAddVirtioSerialController` */
function addVirtioSerialControllers(domain: XmlElement, controllers: Controller[]): void {
  const devices = childrenNamed(domain, 'devices');
  const ports = (name: string) =>
    devices
      .flatMap((element) => childrenNamed(element, name))
      .filter((element) => attribute(childNamed(element, 'target'), 'type') === 'virtio');
  const users = [...ports('channel'), ...ports('console')];
  for (const user of users) {
    const isPlaced = attribute(childNamed(user, 'address'), 'type') === 'virtio-serial';
    ensureController(controllers, 'virtio-serial', isPlaced ? addressNumber(user, 'controller') : 0);
  }
  // With its ports used up libvirt adds another controller.
  const limits = controllers
    .filter(({ type, element }) => type === 'virtio-serial' && attribute(element, 'ports') !== undefined)
    .map(({ element }) => Number(attribute(element, 'ports')));
  if (users.length >= Math.min(VIRTIO_SERIAL_PORTS, ...limits)) {
    throw new Unpredictable('more virtio-serial ports than one controller has are not covered');
  }
}

/** `virDomainDefMaybeAddHostdevSCSIcontroller`: new controllers are of the model that the others with hostdevs have. */
function addScsiHostdevControllers(lists: DeviceLists, controllerOf: (hostdev: GuestDevice) => number): void {
  let seen = -1;
  let model = '';
  for (const hostdev of lists.hostdevs) {
    if (hostdev.model !== 'scsi' || controllerOf(hostdev) <= seen) continue;
    seen = controllerOf(hostdev);
    model = findController(lists.controllers, 'scsi', seen)?.model || model;
  }
  addUpTo(lists.controllers, 'scsi', seen, model);
}

/** While libvirt still reads the document, a SCSI hostdev without an address counts as one on controller 0. */
function writtenControllerOf(hostdev: GuestDevice): number {
  return hostdev.addressType === 'drive' ? addressNumber(hostdev.element, 'controller') : 0;
}

/** Each SCSI hostdev without an address gets the next free unit (`virDomainHostdevAssignAddress`). */
function placeScsiHostdevs(lists: DeviceLists): Map<GuestDevice, number> {
  const hostdevs = lists.hostdevs.filter(({ model }) => model === 'scsi');
  const places = new Map<GuestDevice, number>();
  if (hostdevs.length === 0) return places;
  const taken = new Set<string>();
  for (const disk of lists.disks.filter(({ model }) => model === 'scsi')) {
    const controller = diskController(disk, SCSI_UNITS);
    const unit =
      disk.addressType === 'drive'
        ? addressNumber(disk.element, 'unit')
        : diskIndex(diskTarget(disk)) % SCSI_UNITS;
    if (isOnFirstTarget(disk)) taken.add(`${controller}:${unit}`);
  }
  for (const hostdev of hostdevs.filter(({ addressType }) => addressType === 'drive')) {
    const controller = addressNumber(hostdev.element, 'controller');
    places.set(hostdev, controller);
    if (isOnFirstTarget(hostdev)) taken.add(`${controller}:${addressNumber(hostdev.element, 'unit')}`);
  }
  for (const hostdev of hostdevs.filter(({ addressType }) => addressType === undefined)) {
    let controller = 0;
    let unit = 0;
    while (taken.has(`${controller}:${unit}`)) {
      unit += 1;
      const isSmall = findController(lists.controllers, 'scsi', controller)?.model === 'lsisas1068';
      if (unit === (isSmall ? 2 : SCSI_UNITS)) {
        unit = 0;
        controller += 1;
      }
    }
    taken.add(`${controller}:${unit}`);
    places.set(hostdev, controller);
  }
  return places;
}

function isOnFirstTarget({ addressType, element }: GuestDevice): boolean {
  return (
    addressType !== 'drive' || (addressNumber(element, 'bus') === 0 && addressNumber(element, 'target') === 0)
  );
}

/** Graphics without video get one (`virDomainDefAddImplicitVideo`); both defaults, Cirrus and VGA, are conventional. */
function addVideo(domain: XmlElement, lists: DeviceLists): void {
  const hasGraphics = childrenNamed(domain, 'devices').some((devices) => childNamed(devices, 'graphics'));
  if (hasGraphics && lists.videos.length === 0) {
    lists.videos.push({ kind: 'video', key: 'video:0', model: '', flags: 0 });
  }
}
