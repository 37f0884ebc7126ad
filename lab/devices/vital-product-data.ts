import { playRemoteFunction, type RemoteFunction } from '../outside/remote-device.js';
import type { LabDevice } from './device.js';

const AF = 0x40;
const VPD = 0x50;
const SSVID = 0x60;
const VNDR = 0x70;

/** Vital Product Data as PCI Local Bus 3.0, appendix I has it: an identifier, a writable part, the end. */
const STORED = [
  0x82,
  3,
  0,
  0x4c,
  0x61,
  0x62,
  0x91,
  28,
  0,
  0x59,
  0x41,
  25,
  ...Array<number>(25).fill(0x20),
  0x78,
];

/**
 * A conventional function with what no device of QEMU has: VPD (with storage behind it), Advanced Features with a
 * function-level reset, a capability that vfio hides in legacy space (SSVID), and a vendor's own.
 */
class VitalProductData implements RemoteFunction {
  readonly #space = Buffer.alloc(256);
  readonly #writable = Buffer.alloc(256);
  readonly #storage = Buffer.alloc(256);

  constructor() {
    const space = this.#space;
    space.writeUInt16LE(0x1234, 0x00);
    space.writeUInt16LE(0x7664, 0x02);
    space.writeUInt16LE(0x0010, 0x06); // STATUS: there is a capability list
    space.writeUInt16LE(0x0880, 0x0a); // class: another system peripheral
    space[0x34] = AF;
    space.set([0x13, VPD, 6, 0x03, 0, 0], AF); // PCI_CAP_ID_AF, length, TP and FLR
    space.set([0x03, SSVID], VPD);
    space.set([0x0d, VNDR, 0, 0, 0x34, 0x12, 0x01, 0x00], SSVID);
    // Two bytes of its last four belong to nobody: an access to all four spans both.
    space.set([0x09, 0x00, 14], VNDR);
    this.#writable.fill(0xff, 0x80);
    this.#writable.fill(0xff, VNDR + 3, VNDR + 16);
    this.#writable.set([0x47, 0x05], 0x04);
    this.#writable[0x0c] = 0xff;
    this.#storage.set(STORED);
  }

  readConfig(offset: number, length: number): number {
    return offset + length <= 256 ? this.#space.readUIntLE(offset, length) : 2 ** (8 * length) - 1;
  }

  writeConfig(offset: number, value: number, length: number): void {
    for (let index = 0; index < length && offset + index < 256; index += 1) {
      const at = offset + index;
      const mask = this.#writable[at]!;
      this.#space[at] = (this.#space[at]! & ~mask) | ((value >>> (8 * index)) & mask);
      if (at >= VPD + 4 && at < VPD + 8) this.#space[at] = (value >>> (8 * index)) & 0xff;
    }
    if (offset === VPD + 2 && length === 2) this.#transfer(value);
  }

  /** PCI_VPD_ADDR: flag 0 asks for a read and becomes 1 when it is done, flag 1 for a write and becomes 0. */
  #transfer(value: number): void {
    const address = value & 0xfc;
    if (value & 0x8000) this.#space.copy(this.#storage, address, VPD + 4, VPD + 8);
    else this.#storage.copy(this.#space, VPD + 4, address, address + 4);
    this.#space.writeUInt16LE((value ^ 0x8000) & 0xffff, VPD + 2);
  }
}

export default {
  name: 'vital-product-data',
  id: '1234:7664',
  purpose:
    'VPD, Advanced Features, and a capability that vfio hides in legacy space, which no device of QEMU has',
  arguments: ['-device', 'x-pci-proxy-dev,id=vpd,bus=$PORT,fd=$FD'],
  play: (channel) => playRemoteFunction(channel, new VitalProductData()),
} satisfies LabDevice;
