import { EXTENDED_SIZE, HEADER_SIZE, LEGACY_SIZE } from './capability-tables.js';

/** A capability to lay out: its id, its body after the header (2 bytes, or 4 extended), and where, if that matters. */
export interface CapabilityToBuild {
  id: number;
  /** Bytes behind the header. */
  body?: readonly number[];
  /** Offset; without it the next free one, 4-byte aligned. */
  at?: number;
}

export interface ConfigSpaceToBuild {
  /** 4 hexadecimal digits each. */
  vendor?: string;
  device?: string;
  /** 6 hexadecimal digits. */
  class?: string;
  standard?: readonly CapabilityToBuild[];
  extended?: readonly CapabilityToBuild[];
  /** Bytes: 64, 256 or 4,096, the default. */
  size?: number;
}

/** Builds a config space with both chains linked in the order given; for tests and fixtures. */
export function buildConfigSpace(wanted: ConfigSpaceToBuild): Uint8Array {
  const space = new Uint8Array(EXTENDED_SIZE);
  const view = new DataView(space.buffer);
  view.setUint16(0, parseInt(wanted.vendor ?? '1af4', 16), true);
  view.setUint16(2, parseInt(wanted.device ?? '1041', 16), true);
  view.setUint32(8, parseInt(wanted.class ?? '020000', 16) * 0x100, true);

  let free = HEADER_SIZE;
  let pointer = 0x34;
  for (const { id, body = [], at = free } of wanted.standard ?? []) {
    space[6] = 0x10; // STATUS: capability list
    space[pointer] = at;
    space[at] = id;
    space.set(body, at + 2);
    pointer = at + 1;
    free = align(at + 2 + body.length);
  }
  free = LEGACY_SIZE;
  let previous: number | undefined;
  for (const { id, body = [], at = free } of wanted.extended ?? []) {
    if (previous !== undefined) {
      view.setUint32(previous, (view.getUint32(previous, true) & 0x000fffff) | (at << 20), true);
    }
    view.setUint32(at, (id | 0x00010000) >>> 0, true); // version 1
    space.set(body, at + 4);
    previous = at;
    free = align(at + 4 + body.length);
  }
  return space.slice(0, wanted.size ?? EXTENDED_SIZE);
}

const align = (offset: number) => (offset + 3) & ~3;

/** Little-endian bytes of 32-bit registers, for a body. */
export function dwords(...registers: number[]): number[] {
  return registers.flatMap((register) => [0, 8, 16, 24].map((shift) => (register >>> shift) & 0xff));
}

const zeros = (count: number) => Array.from({ length: count }, () => 0);

/** Power Management, version 3, D0. */
export const powerManagement = (at?: number): CapabilityToBuild => ({
  id: 0x01,
  body: [0x03, 0x00, 0x08, 0, 0, 0],
  at,
});

/** MSI with 64-bit addresses and, if wanted, per-vector masking. */
export const msi = (at?: number, maskable = false): CapabilityToBuild => ({
  id: 0x05,
  body: [0x80, maskable ? 1 : 0, ...zeros(maskable ? 20 : 10)],
  at,
});

export const msix = (at?: number): CapabilityToBuild => ({
  id: 0x11,
  body: [31, 0, ...dwords(0, 0x2000)],
  at,
});

export const vpd = (at?: number): CapabilityToBuild => ({ id: 0x03, body: zeros(6), at });

/** PCI Express endpoint, version 2, with FLR unless it is said not to have it. */
export const pciExpress = (at?: number, flr = true): CapabilityToBuild => ({
  id: 0x10,
  body: [0x02, 0x00, ...dwords(flr ? 0x10008fc0 : 0x00008fc0), ...zeros(0x2c)],
  at,
});

/** Vendor-specific standard capability of `length` bytes, 3 to 255. */
export const vendorSpecific = (length: number, at?: number): CapabilityToBuild => ({
  id: 0x09,
  body: [length, ...zeros(length - 3)],
  at,
});

export const advancedErrorReporting = (at?: number): CapabilityToBuild => ({
  id: 0x01,
  body: zeros(0x44),
  at,
});

export const deviceSerialNumber = (at?: number): CapabilityToBuild => ({ id: 0x03, body: zeros(8), at });

/** Vendor-specific extended capability (VSEC) or, with id 0x23, DVSEC, of `length` bytes, 12 to 4,095. */
export const vendorSpecificExtended = (
  length: number,
  at?: number,
  id: 0x0b | 0x23 = 0x0b,
): CapabilityToBuild => ({
  id,
  body: [...dwords((length << 20) | 0x00010001), ...zeros(length - 8)],
  at,
});

/** L1 PM Substates, which vfio hides. */
export const l1PmSubstates = (at?: number): CapabilityToBuild => ({ id: 0x1e, body: zeros(12), at });

/** A server NVMe SSD: chains as such drives have them, vendor registers nowhere in a chain. */
export function nvmeConfigSpace(): Uint8Array {
  return buildConfigSpace({
    vendor: '144d',
    device: 'a80a',
    class: '010802',
    standard: [powerManagement(0x40), msi(0x50), pciExpress(0x70), msix(0xb0)],
    extended: [
      advancedErrorReporting(0x100),
      { id: 0x03, body: zeros(8), at: 0x148 },
      { id: 0x04, body: zeros(12), at: 0x158 },
      { id: 0x19, body: zeros(16), at: 0x168 },
      { id: 0x18, body: zeros(4), at: 0x188 },
      l1PmSubstates(0x190),
    ],
  });
}

/** A graphics card: a vendor capability in each space, Resizable BAR, many hidden capabilities. */
export function gpuConfigSpace(): Uint8Array {
  return buildConfigSpace({
    vendor: '10de',
    device: '2684',
    class: '030000',
    standard: [powerManagement(0x60), msi(0x68), pciExpress(0x78, false), vendorSpecific(0x14, 0xb4)],
    extended: [
      { id: 0x02, body: dwords(0, 0, 0, 0, 0x800000ff, 0), at: 0x100 },
      l1PmSubstates(0x258),
      { id: 0x18, body: zeros(4), at: 0x250 },
      advancedErrorReporting(0x420),
      vendorSpecificExtended(0x24, 0x600),
      { id: 0x19, body: zeros(28), at: 0x900 },
      { id: 0x15, body: dwords(0x0001ffc0, 0x00000f21), at: 0xbb0 },
      { id: 0x26, body: zeros(32), at: 0xc1c },
      { id: 0x27, body: zeros(68), at: 0xd00 },
      { id: 0x25, body: zeros(8), at: 0xe00 },
    ],
  });
}

/** A network card's physical function: VPD, SR-IOV, ARI, and PASID, which vfio hides. */
export function nicConfigSpace(): Uint8Array {
  return buildConfigSpace({
    vendor: '8086',
    device: '1592',
    class: '020000',
    standard: [powerManagement(0x40), msi(0x50, true), msix(0x70), pciExpress(0xa0), vpd(0xe0)],
    extended: [
      advancedErrorReporting(0x100),
      deviceSerialNumber(0x148),
      { id: 0x0e, body: zeros(4), at: 0x158 },
      { id: 0x10, body: zeros(0x3c), at: 0x160 },
      { id: 0x17, body: zeros(8), at: 0x1a0 },
      { id: 0x1b, body: zeros(4), at: 0x1c0 },
      { id: 0x0d, body: dwords(0), at: 0x1d0 },
      { id: 0x19, body: zeros(40), at: 0x1e0 },
    ],
  });
}
