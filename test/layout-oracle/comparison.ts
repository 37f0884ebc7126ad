import type { VfioTables } from '../../src/pci/config-space/capability-tables.js';
import { layoutOf } from '../../src/pci/config-space/layout.js';
import type { WriteReach } from '../../src/pci/config-space/write-permissions.js';
import { FATE, type Device, type KernelAnswer } from './kernel-walk.js';

/** A byte in which our layout and the kernel are not of one mind. */
export interface Difference {
  offset: number;
  what: 'map' | 'writable bits' | 'write reach';
  kernel: string;
  ours: string;
}

/** One space, looked at from both sides. */
export interface Comparison {
  /** Bytes of the map; 0 where there is nothing to compare (refused, or not known to us). */
  compared: number;
  /** Bytes of the map compared by an experiment with a write. */
  written: number;
  /** Bytes that differ, and at most a few of them in detail. */
  differing: number;
  details: readonly Difference[];
  /** Only one side refuses to open the device. */
  refusalDiffers: boolean;
  weRefuse: boolean;
  /** Bytes of which our side says that it cannot tell. */
  unknown: number;
}

const DETAILS = 3;
const hex = (value: number) => `0x${value.toString(16).padStart(2, '0')}`;

export function compare(device: Device, kernel: KernelAnswer, tables: VfioTables): Comparison {
  const bytes = device.bytes.subarray(0, device.given);
  const layout = layoutOf(bytes, { configSize: device.size, tables });
  const weRefuse = layout.refused !== undefined;
  const refusalDiffers = layout.complete && weRefuse !== kernel.refused;
  if (weRefuse || kernel.refused) {
    return { compared: 0, written: 0, differing: 0, details: [], refusalDiffers, weRefuse, unknown: 0 };
  }
  const details: Difference[] = [];
  let differing = 0;
  // Most maps are alike, which is told without a look at each byte.
  const end = !kernel.writes && sameMap(layout.kernelMap, kernel.map) ? 0 : layout.size;
  for (let offset = 0; offset < end; offset++) {
    const difference = differenceAt(offset, layout, kernel);
    if (difference === undefined) continue;
    differing += 1;
    if (details.length < DETAILS) details.push(difference);
  }
  const compared = layout.size;
  const written = kernel.writes ? compared : 0;
  const unknown = device.size - compared;
  return { compared, written, differing, details, refusalDiffers, weRefuse, unknown };
}

function sameMap(ours: Uint8Array, theirs: Uint8Array): boolean {
  return Buffer.compare(ours, theirs.subarray(0, ours.length)) === 0;
}

function differenceAt(
  offset: number,
  layout: ReturnType<typeof layoutOf>,
  kernel: KernelAnswer,
): Difference | undefined {
  if (layout.kernelMap[offset] !== kernel.map[offset]) {
    const [theirs, ours] = [hex(kernel.map[offset]!), hex(layout.kernelMap[offset] ?? -1)];
    return { offset, what: 'map', kernel: theirs, ours };
  }
  if (!kernel.writes) return undefined;
  const reach = kernel.writes.reach[offset]!;
  if (layout.writableBits[offset] !== reach) {
    return { offset, what: 'writable bits', kernel: hex(reach), ours: hex(layout.writableBits[offset]!) };
  }
  const seen = observedReach(reach, kernel.writes.fate[offset]!);
  const said = layout.writeReach[offset]!;
  return seen === said ? undefined : { offset, what: 'write reach', kernel: seen, ours: said };
}

/** The experiment's outcome in the layout's words. */
function observedReach(reach: number, fate: number): WriteReach {
  if (reach === 0xff) return 'raw';
  if (reach !== 0) return 'partly';
  if (fate & FATE.ACTS) return 'mediated';
  return fate & FATE.COPIED ? 'virtualised' : 'dropped';
}
