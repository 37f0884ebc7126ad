import type { CoverageRow } from '../../src/mitigation/coverage.js';
import type { ConfigSpaceLayout } from '../../src/pci/config-space/layout.js';
import type { LabDevice } from '../devices/device.js';

/** A device as the lab's host has it. */
export interface DeviceFacts {
  device: LabDevice;
  bdf: string;
  /** As vfio sees it; of the device before anything was done to it. */
  layout: ConfigSpaceLayout;
  configSpace: Uint8Array;
}

/** One write of a guest. */
export interface GuestWrite {
  /** `config`: to the device's config space; `bar0`: to the region that its first BAR maps. */
  space: 'config' | 'bar0';
  /** Bytes from the start of that space. */
  offset: number;
  size: 1 | 2 | 4;
  value: number;
}

/** Something that a guest tries, in one or more writes, and how it shows at the hardware that it got through. */
export interface Attempt {
  what: string;
  /** The part of config space that it is aimed at. */
  part: 'legacy' | 'extended';
  writes: readonly GuestWrite[];
  /** How the hardware's side tells that it arrived; any config write to the bytes of the last write by default. */
  arrival?: Arrival;
}

export type Arrival =
  /** A config write that touches these bytes, with all bits of `bits` set in what the byte at `offset` is given. */
  | { kind: 'config'; offset: number; size: number; bits?: number }
  /** The first BAR's memory at this offset holds the value that was written. */
  | { kind: 'bar0-memory'; offset: number; value: number };

/**
 * A row of the coverage table in the lab. Each file of this folder but this one gives one as its default export; to add
 * an exposure, add a file.
 */
export interface LabExposure {
  row: CoverageRow;
  /** What a guest with this device would try; none where the device has nothing of the exposure. */
  attempts(facts: DeviceFacts): Attempt[];
}

/** Values that tell writes apart in a trace; never 0, nor all-ones, in any byte. */
export function distinctValue(size: 1 | 2 | 4, number: number): number {
  const byte = (index: number) => 1 + ((number * 7 + index * 61) % 253);
  let value = 0;
  for (let index = size - 1; index >= 0; index -= 1) value = value * 256 + byte(index);
  return value;
}

/** Writes of each size at an offset that allows it; one byte at the other end, too. */
export function writesWithin(start: number, length: number, most = 4): GuestWrite[] {
  const end = start + length;
  const aligned = (start + 3) & ~3;
  const places: [number, 1 | 2 | 4][] = [
    [start, 1],
    [aligned, 2],
    [aligned, 4],
    [end - 1, 1],
  ];
  const seen = new Set<string>();
  return places
    .filter(([offset, size]) => offset >= start && offset + size <= end)
    .filter(([offset, size]) => !seen.has(`${offset}/${size}`) && seen.add(`${offset}/${size}`))
    .slice(0, most)
    .map(([offset, size], index) => ({
      space: 'config',
      offset,
      size,
      value: distinctValue(size, offset + index),
    }));
}

/** One attempt for each write. */
export function attemptsOf(writes: readonly GuestWrite[], what: string): Attempt[] {
  return writes.map((write) => ({
    what: `${what}, ${write.size} byte${write.size > 1 ? 's' : ''} at 0x${write.offset.toString(16)}`,
    part: write.offset < 0x100 ? 'legacy' : 'extended',
    writes: [write],
  }));
}
