import type { GuestWrite } from '../exposures/exposure.js';
import { guestBuses, type GuestBuses, type GuestDevice, type ProgrammedBridge } from './guest-buses.js';
import type { LabHost } from './lab-host.js';

/** Where the guest of a q35 machine sees its PCI Express config space, once PCIEXBAR (0x60 of 0:0.0) says so. */
const ECAM = 0xb000_0000;
/** Where a device's first BAR is put while it is accessed. */
const BAR0 = 0xe000_0000;
const BRIDGE_WINDOW = 0xeff0_e000;
const PCI = { COMMAND: 0x04, BAR0: 0x10, BRIDGE_BUSES: 0x18, BRIDGE_MEMORY: 0x20 };

/**
 * A guest that does what it is told: its processors stand still, and its accesses come over QEMU's qtest socket, which
 * takes them the same way through QEMU as a processor's.
 */
export class PausedGuest {
  #logOffset = 0;

  private constructor(
    private readonly host: LabHost,
    readonly name: string,
    readonly buses: GuestBuses,
  ) {}

  /** The arguments that a domain needs to be such a guest. */
  static qemuArguments(name: string): string[] {
    return ['-qtest', `unix:${socketOf(name)},server=on,wait=off`, '-trace', 'vfio_pci_write_config'];
  }

  /** Takes over a domain that was started paused, and numbers its buses as its firmware would have. */
  static async of(host: LabHost, name: string, uri?: string): Promise<PausedGuest> {
    const guest = new PausedGuest(host, name, guestBuses(await host.virsh(['dumpxml', name], uri)));
    const { family, bridges } = guest.buses;
    const lines = family === 'q35' ? writeByPorts({ bus: 0, slot: 0, function: 0 }, 0x60, 4, ECAM + 1) : [];
    for (const bridge of bridges) {
      const { bus, secondary, subordinate } = bridge;
      lines.push(...writeByPorts(bridge, PCI.BRIDGE_BUSES, 4, bus | (secondary << 8) | (subordinate << 16)));
    }
    await host.agent.qtest(socketOf(name), lines, true);
    return guest;
  }

  /** Whether a guest of this machine can name the bytes at all: the ports of an i440fx end at 0xff. */
  canAddress(write: GuestWrite): boolean {
    return write.space !== 'config' || write.offset < 0x100 || this.buses.family === 'q35';
  }

  /** @returns what the guest reads back */
  async write(bdf: string, write: GuestWrite): Promise<number> {
    const device = this.device(bdf);
    if (write.space === 'bar0') return this.#writeBar(device, write);
    const { offset, size, value } = write;
    const lines = [
      ...(offset < 0x100
        ? writeByPorts(device, offset, size, value)
        : writeByEcam(device, offset, size, value)),
      ...(offset < 0x100 ? readByPorts(device, offset, size) : readByEcam(device, offset, size)),
    ];
    return Number((await this.#send(lines)).at(-1));
  }

  /** @returns what the guest reads of config space */
  async read(bdf: string, offset: number, size: 1 | 2 | 4): Promise<number> {
    const read = offset < 0x100 ? readByPorts : readByEcam;
    return Number((await this.#send(read(this.device(bdf), offset, size))).at(-1));
  }

  /** Takes a device's BARs out of the guest's memory again, where a write has put them. */
  async closeBars(bdf: string): Promise<void> {
    const device = this.device(bdf);
    const places: Place[] = [device, ...this.#pathTo(device)];
    await this.#send(places.flatMap((place) => writeByPorts(place, PCI.COMMAND, 2, 0)));
  }

  /** Lines that QEMU's trace of vfio accesses has got since the last call: what QEMU let through to vfio. */
  async takeVfioWrites(): Promise<string[]> {
    const log = `/var/log/libvirt/qemu/${this.name}.log`;
    const text = await this.host.agent.run(['tail', '-c', `+${this.#logOffset + 1}`, log]);
    this.#logOffset += Buffer.byteLength(text);
    return text.split('\n').filter((line) => line.includes('vfio_pci_write_config'));
  }

  device(bdf: string): GuestDevice {
    const device = this.buses.devices.get(bdf);
    if (!device) throw new Error(`domain ${this.name} has no ${bdf}`);
    return device;
  }

  /** The bridges between the root and a device, the first one first. */
  #pathTo(device: GuestDevice): ProgrammedBridge[] {
    return this.buses.bridges.filter(
      ({ secondary, subordinate }) => device.bus >= secondary && device.bus <= subordinate,
    );
  }

  async #writeBar(device: GuestDevice, { offset, size, value }: GuestWrite): Promise<number> {
    const path = this.#pathTo(device);
    const open = [
      ...path.flatMap((bridge) => [
        ...writeByPorts(bridge, PCI.BRIDGE_MEMORY, 4, BRIDGE_WINDOW | (BAR0 >>> 16)),
        ...writeByPorts(bridge, PCI.COMMAND, 2, 0x0007),
      ]),
      ...writeByPorts(device, PCI.BAR0, 4, BAR0),
      ...writeByPorts(device, PCI.COMMAND, 2, 0x0002),
    ];
    const access = [writeMemory(BAR0 + offset, size, value), readMemory(BAR0 + offset, size)];
    const replies = await this.#send([...open, ...access]);
    return Number(replies[open.length + 1]);
  }

  async #send(lines: readonly string[]): Promise<string[]> {
    return this.host.agent.qtest(socketOf(this.name), lines);
  }
}

type Place = Pick<GuestDevice, 'bus' | 'slot' | 'function'>;

function socketOf(name: string): string {
  return `/run/${name}.qtest`;
}

/** How qtest's commands name the sizes of accesses. */
const SIZE = { 1: 'b', 2: 'w', 4: 'l' } as const;

function hex(value: number): string {
  return `0x${(value >>> 0).toString(16)}`;
}

/** CONFIG_ADDRESS (0xcf8) and CONFIG_DATA (0xcfc) of the PCI Local Bus specification 3.0, section 3.2.2.3.2. */
function selectByPorts({ bus, slot, function: fn }: Place, offset: number): string {
  return `outl 0xcf8 ${hex(0x8000_0000 | (bus << 16) | (slot << 11) | (fn << 8) | (offset & 0xfc))}`;
}

function writeByPorts(place: Place, offset: number, size: 1 | 2 | 4, value: number): string[] {
  return [selectByPorts(place, offset), `out${SIZE[size]} ${hex(0xcfc + (offset & 3))} ${hex(value)}`];
}

function readByPorts(place: Place, offset: number, size: 1 | 2 | 4): string[] {
  return [selectByPorts(place, offset), `in${SIZE[size]} ${hex(0xcfc + (offset & 3))}`];
}

function ecamAddress({ bus, slot, function: fn }: Place, offset: number): number {
  return ECAM + ((bus << 20) | (slot << 15) | (fn << 12)) + offset;
}

function writeByEcam(place: Place, offset: number, size: 1 | 2 | 4, value: number): string[] {
  return [writeMemory(ecamAddress(place, offset), size, value)];
}

function readByEcam(place: Place, offset: number, size: 1 | 2 | 4): string[] {
  return [readMemory(ecamAddress(place, offset), size)];
}

function writeMemory(address: number, size: 1 | 2 | 4, value: number): string {
  return `write${SIZE[size]} ${hex(address)} ${hex(value)}`;
}

function readMemory(address: number, size: 1 | 2 | 4): string {
  return `read${SIZE[size]} ${hex(address)}`;
}
