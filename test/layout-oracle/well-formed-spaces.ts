import type { Device } from './kernel-walk.js';
import type { Random } from './random.js';

/** A config space and where its chains have their capabilities, in the order of the chains. */
export interface ChainedDevice extends Device {
  standard: readonly number[];
  extended: readonly number[];
}

export const HEADER = 0x40;
export const LEGACY = 0x100;
export const SPACE = 0x1000;

/**
 * The most room each capability takes; the generator leaves that much free (mostly), so it need not know exact
 * lengths. Whether capabilities came to overlap after all the kernel says, and such spaces are not counted.
 */
const STANDARD_ROOM: ReadonlyMap<number, number> = new Map([
  [0x01, 8],
  [0x02, 12],
  [0x03, 8],
  [0x05, 24],
  [0x07, 24],
  [0x08, 28],
  [0x10, 0x3c],
  [0x11, 12],
  [0x12, 16],
  [0x13, 8],
]);
const EXTENDED_ROOM: ReadonlyMap<number, number> = new Map([
  [0x01, 0x48],
  [0x02, 0xb0],
  [0x03, 12],
  [0x04, 16],
  [0x08, 0xb0],
  [0x09, 0xb0],
  [0x0d, 40],
  [0x0e, 8],
  [0x0f, 8],
  [0x10, 0x40],
  [0x12, 0x30],
  [0x13, 16],
  [0x15, 60],
  [0x16, 48],
  [0x18, 8],
]);
const OTHER_ROOM = 16;

/** Capabilities that a function may have more than once. */
const REPEATED_STANDARD = new Set([0x08, 0x09]);
const REPEATED_EXTENDED = new Set([0x0b, 0x23]);

/** A config space with both chains in order, as hardware might have it, its content random wherever it may be. */
export function wellFormedSpace(random: Random): ChainedDevice {
  const bytes = new Uint8Array(SPACE);
  const background = random.below(3);
  if (background > 0) random.overwrite(bytes);
  if (background > 1) for (let i = 0; i < SPACE; i++) bytes[i]! &= random.chance(0.5) ? 0xff : 0;
  const size = random.chance(0.1) ? LEGACY : random.chance(0.08) ? 4 * random.between(65, 1024) : SPACE;
  bytes[0x0e]! &= 0x80; // header type 0: vfio-pci takes no other
  bytes[0x06]! |= 0x10; // STATUS: there is a capability list
  if (random.chance(0.02)) bytes[0x06]! &= ~0x10;
  // Devices reserve what their capabilities may take; a tenth of the spaces is packed closer.
  const thrift = random.chance(0.9) ? 1 : random.between(3, 9) / 10;
  const standard = placeStandard(bytes, random, thrift);
  const extended = size > LEGACY ? placeExtended(bytes, size, random, thrift) : [];
  // A quarter of those that have the bytes behind cfg_size at hand: a quirk's cap. Else the file ends there.
  const given = size < SPACE && random.chance(0.75) ? bytes.subarray(0, size) : bytes;
  return { bytes: given, size, standard, extended };
}

function placeStandard(bytes: Uint8Array, random: Random, thrift: number): number[] {
  const placed: { at: number; id: number }[] = [];
  const used = new Set<number>();
  let at = HEADER + gap(random);
  for (let wanted = random.below(10); placed.length < wanted;) {
    // Most functions are PCI Express; without it (or PCI-X 2) vfio does not look at extended space.
    const id = placed.length === 0 && random.chance(0.85) ? 0x10 : standardId(random);
    if (used.has(id) && !REPEATED_STANDARD.has(id)) continue;
    used.add(id);
    const vendorLength = random.chance(0.1) ? random.below(4) : random.between(3, 48);
    const room = id === 0x09 ? Math.max(vendorLength, 4) : (STANDARD_ROOM.get(id) ?? OTHER_ROOM);
    if (at + room > LEGACY) break;
    bytes[at] = id;
    if (id === 0x09) bytes[at + 2] = vendorLength;
    if (id === 0x10)
      bytes[at + 2] = random.pick([0x01, 0x02, 0x02, 0x02, 0x12, 0x91, 0x92, random.below(256)]);
    placed.push({ at, id });
    at = (at + Math.ceil(room * thrift) + gap(random) + 3) & ~3;
  }
  return link(random, placed, 0x34, (from, to) => {
    bytes[from === 0x34 ? from : from + 1] = to;
  });
}

function placeExtended(bytes: Uint8Array, size: number, random: Random, thrift: number): number[] {
  const view = new DataView(bytes.buffer);
  const placed: number[] = [];
  const used = new Set<number>();
  let at = LEGACY;
  for (let wanted = random.below(16); placed.length < wanted;) {
    const id = extendedId(random);
    if (used.has(id) && !REPEATED_EXTENDED.has(id)) continue;
    used.add(id);
    const room = prepareExtended(view, at, id, random);
    if (at + room > size) break;
    view.setUint32(at, id + (random.below(16) << 16), true);
    placed.push(at);
    at = (at + Math.ceil(room * thrift) + gap(random) * random.between(1, 8) + 3) & ~3;
  }
  if (placed.length === 0) view.setUint32(LEGACY, 0, true); // how a device says that it has none
  // The chain begins at 0x100; beyond, any order.
  const order = [...placed.slice(0, 1), ...shuffledMostly(random, placed.slice(1))];
  order.forEach((offset, index) => {
    const next = order[index + 1] ?? 0;
    view.setUint32(offset, (view.getUint32(offset, true) | (next << 20)) >>> 0, true);
  });
  return order;
}

/** Bounds what the length depends on, where random bytes would make it too long to fit; answers the room it takes. */
function prepareExtended(view: DataView, at: number, id: number, random: Random): number {
  const last = view.byteLength - 16;
  if (id === 0x0b || id === 0x23) {
    const length = random.chance(0.05)
      ? random.between(0, 12)
      : random.between(8, random.chance(0.1) ? 2000 : 96);
    if (at <= last) view.setUint32(at + 4, ((length << 20) | random.below(1 << 20)) >>> 0, true);
    return Math.max(length, 8);
  }
  if (id === 0x17) {
    const entries = random.chance(0.1) ? random.below(0x200) : random.below(32);
    if (at <= last) view.setUint32(at + 4, ((entries << 16) | random.below(1 << 16)) >>> 0, true);
    return 12 + 2 * entries + 2;
  }
  return EXTENDED_ROOM.get(id) ?? OTHER_ROOM;
}

/** All that the specifications name, and some that they do not. */
function standardId(random: Random): number {
  return random.chance(0.95) ? random.below(0x15) : random.below(0x100);
}

function extendedId(random: Random): number {
  return random.chance(0.95)
    ? random.below(0x32)
    : random.chance(0.5)
      ? random.below(0x100)
      : random.below(0x10000);
}

function gap(random: Random): number {
  return random.chance(0.4) ? 0 : 4 * random.below(8);
}

function shuffledMostly<T>(random: Random, items: T[]): T[] {
  return random.chance(0.6) ? random.shuffle(items) : items;
}

function link(
  random: Random,
  placed: readonly { at: number }[],
  head: number,
  point: (from: number, to: number) => void,
): number[] {
  const order = shuffledMostly(
    random,
    placed.map(({ at }) => at),
  );
  [head, ...order].forEach((from, index) => point(from, order[index] ?? 0));
  return order;
}
