import { allDevices } from './device-lists.js';
import { connectFlags, known, type HostKnowledge } from './connect-flags.js';
import { ensureController } from './implicit-devices.js';
import { reserveI440fxChipset, reserveQ35Chipset } from './chipset.js';
import {
  givePciAddress,
  hasPciAddress,
  Unpredictable,
  usb2Function,
  wantsPciAddress,
  type Controller,
  type DeviceLists,
  type GuestDevice,
} from './guest-device.js';
import { CONNECT, PciBuses } from './pci-buses.js';

/**
 * Gives every PCI device its address, adding controllers where there is no room (`qemuDomainAssignPCIAddresses`). Libvirt
 * goes over the devices twice: once to learn how many buses it needs, once in earnest.
 */
export function assignAll(lists: DeviceLists, express: boolean, host: HostKnowledge): void {
  for (const device of allDevices(lists)) device.flags = connectFlags(device, express, host);
  const pciControllers = lists.controllers.filter(({ type }) => type === 'pci');
  const lastWritten = Math.max(...pciControllers.map(({ index }) => index!));

  const dryRun = new Pass(lists, express, host, lastWritten + 1, true);
  dryRun.reserveChipset();
  // Room for a bridge to come; an Express guest gets its spare port below.
  if (!express && dryRun.buses.hasRoom()) dryRun.buses.reserveNext(CONNECT.pciDevice | CONNECT.autoassign);
  dryRun.assignInOrder();
  const isNew = lastWritten === 0 && dryRun.buses.count > 1;
  // Who left the controllers to libvirt gets one free port for hot-plug, once.
  if (express && isNew) dryRun.buses.reserveNext(CONNECT.pcieDevice | CONNECT.autoassign);
  for (let index = 1; index < dryRun.buses.count; index++) {
    const added = ensureController(lists.controllers, 'pci', index, dryRun.buses.modelOf(index));
    if (!added) continue;
    added.flags = connectFlags(added, express, host);
    dryRun.buses.reserveNext(added.flags);
  }

  const earnest = new Pass(lists, express, host, dryRun.buses.count, false);
  earnest.reserveChipset();
  earnest.assignInOrder();
  for (const { type, model, index, pci } of lists.controllers) {
    if (type === 'pci' && model === 'pci-bridge' && index! <= pci!.bus) {
      throw new Unpredictable(`libvirt would refuse pci-bridge ${index} on bus ${pci!.bus}`);
    }
  }
}

class Pass {
  readonly buses: PciBuses;

  constructor(
    private readonly lists: DeviceLists,
    private readonly express: boolean,
    host: HostKnowledge,
    busCount: number,
    private readonly dryRun: boolean,
  ) {
    this.buses = new PciBuses(dryRun, () =>
      known(host.hasDevice?.('pcie-pci-bridge'), 'whether QEMU has pcie-pci-bridge'),
    );
    this.addBuses(busCount);
    this.collect();
  }

  reserveChipset(): void {
    const place = (device: GuestDevice) => this.place(device);
    if (this.express) reserveQ35Chipset(this.lists, this.buses, place);
    else reserveI440fxChipset(this.lists, this.buses, place);
  }

  /** One bus per index, also for indexes that the document skips (`qemuDomainPCIAddressSetCreate`). */
  private addBuses(count: number): void {
    const models = new Map<number, string>();
    for (const { type, index, model } of this.lists.controllers) {
      if (type !== 'pci') continue;
      if (models.has(index!))
        throw new Unpredictable(`libvirt would refuse PCI controller ${index}: it exists twice`);
      models.set(index!, model);
    }
    const filler = this.express ? 'pcie-root-port' : 'pci-bridge';
    for (let index = 0; index < count; index++) this.buses.addBus(models.get(index) ?? filler);
  }

  /** Takes the addresses that devices have (`qemuDomainCollectPCIAddress`). */
  private collect(): void {
    for (const device of allDevices(this.lists)) {
      if (!hasPciAddress(device) || this.isPiix3Function(device)) continue;
      // Libvirt lets pass what it thinks is no PCI device.
      device.flags ||= CONNECT.pciDevice;
      this.buses.reserve(device.pci!, device.flags);
    }
  }

  /** IDE and USB of the PIIX3 are taken with the chipset. */
  private isPiix3Function(device: GuestDevice): boolean {
    if (device.kind !== 'controller') return false;
    const { type, index, model, pci } = device as Controller;
    if (index !== 0 || pci!.domain !== 0 || pci!.bus !== 0 || pci!.slot !== 1) return false;
    const isPiix3 =
      (type === 'ide' && pci!.function === 1) ||
      (type === 'usb' && model === 'piix3-uhci' && pci!.function === 2);
    if (isPiix3 && this.express)
      throw new Unpredictable('libvirt would refuse a PIIX3 function on this machine');
    return isPiix3;
  }

  /** Gives the next free address; in the dry run it is only taken. */
  private place(device: GuestDevice, fn?: number): void {
    const address = this.buses.reserveNext(device.flags, fn);
    if (!this.dryRun) givePciAddress(device, address);
  }

  private placeWanting(devices: GuestDevice[]): void {
    for (const device of devices) if (wantsPciAddress(device)) this.place(device);
  }

  /** `qemuDomainAssignDevicePCISlots`: the order goes back to QEMU 0.12 and must never change. */
  assignInOrder(): void {
    const { lists } = this;
    this.placeWanting(lists.controllers.filter(({ type, index }) => type === 'pci' && index !== 0));
    this.placeWanting(lists.filesystems);
    this.placeWanting(lists.interfaces.filter(({ kind }) => kind === 'interface'));
    this.placeWanting(lists.sounds.filter(({ model }) => !['sb16', 'pcspk', 'usb'].includes(model)));
    this.placeControllers();
    this.placeVirtioDisks();
    this.placeWanting(lists.hostdevs.filter(({ model }) => /^(pci|scsi_host.*|mdev)$/.test(model)));
    this.placeWanting(lists.memballoons.filter(({ model }) => model !== 'none'));
    this.placeWanting(lists.rngs);
    this.placeWanting(lists.watchdogs.filter(({ model }) => model === 'i6300esb'));
    this.placeWanting(lists.videos.filter(({ model }) => model !== 'none' && model !== 'ramfb'));
    this.placeWanting(lists.shmems);
    this.placeWanting(lists.inputs.filter(({ model }) => model.startsWith('virtio')));
    this.placeWanting(lists.serials.filter(({ model }) => model === 'pci-serial'));
    this.placeWanting(lists.iommus.filter(({ model }) => model === 'virtio'));
    this.placeWanting(lists.vsocks);
    this.placeWanting(lists.memories.filter(({ model }) => model.startsWith('virtio-')));
  }

  private placeControllers(): void {
    for (const controller of this.lists.controllers) {
      const { type, index, model } = controller;
      const isElsewhere =
        ['pci', 'fdc', 'ccid'].includes(type) ||
        (type === 'usb' && model === 'none') ||
        (type === 'ide' && index === 0) ||
        (type === 'scsi' && model === 'ncr53c90');
      if (isElsewhere || !wantsPciAddress(controller)) continue;
      const fn = usb2Function(controller);
      if (fn === undefined) this.place(controller);
      else this.placeUsb2(controller, fn);
    }
  }

  /** All parts of a USB 2 controller share the slot of the first that has one. */
  private placeUsb2(controller: Controller, fn: number): void {
    const partner = this.lists.controllers.find(
      (other) =>
        usb2Function(other) !== undefined && other.index === controller.index && hasPciAddress(other),
    );
    if (!partner) {
      this.place(controller, fn);
      return;
    }
    const address = { ...partner.pci!, function: fn };
    this.buses.reserve(address, controller.flags);
    // Also in the dry run.
    givePciAddress(controller, address);
  }

  private placeVirtioDisks(): void {
    for (const disk of this.lists.disks) {
      if (!disk.model.startsWith('virtio') || hasPciAddress(disk)) continue;
      if (!wantsPciAddress(disk)) {
        throw new Unpredictable(`libvirt would refuse ${disk.key}: a virtio disk has a PCI address`);
      }
      this.place(disk);
    }
  }
}
