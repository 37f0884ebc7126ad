import {
  CAP,
  capabilityName,
  EXTENDED_SIZE,
  HEADER_SIZE,
  LEGACY_SIZE,
  MAP,
  type VfioTables,
} from './capability-tables.js';
import { hiddenLength, vfioLength } from './capability-length.js';
import { hardwareReads, type HardwareReads } from './hardware-reads.js';

/** A capability that the guest is shown. */
export interface Capability {
  /** Whether it is in the extended chain (ids of 16 bits) or in the standard one (8 bits). */
  extended: boolean;
  id: number;
  name: string;
  /** Offset of its header. */
  start: number;
  /** Bytes, as vfio counts them: more than the specification's or fewer. */
  length: number;
}

/** A capability that vfio takes out of the chain. Its bytes stay unassigned: a guest reads and writes them raw. */
export interface HiddenCapability {
  extended: boolean;
  id: number;
  name: string;
  start: number;
  /** Least number of bytes it has by the specification; undefined where that cannot be told. */
  length: number | undefined;
  /**
   * Whether it is the first extended capability: vfio cannot unlink that, and keeps its first 4 bytes as a read-only
   * placeholder with id 0.
   */
  anchor: boolean;
}

/** Something a well-formed config space does not have. */
export interface Anomaly {
  offset: number;
  problem: string;
}

/** Entries of `Walk.owner` that are no index into `Walk.claims`. */
export const OWNER = { HEADER: -1, UNASSIGNED: -2 } as const;

export type Claim =
  { kind: 'capability'; capability: Capability } | { kind: 'anchor'; hidden: HiddenCapability };

/** What `vfio_config_init` leaves behind. */
export interface Walk {
  /** The kernel's `pci_config_map`: an id for each byte, 0 for the header, 0xff for unassigned. */
  map: Uint8Array;
  /** For each byte an index into `claims` or one of `OWNER`. */
  owner: Int16Array;
  claims: Claim[];
  hidden: HiddenCapability[];
  anomalies: Anomaly[];
  /** The function's PCI Express Capabilities register; undefined where the chain has no such capability. */
  expressFlags: number | undefined;
  /** Message Control of the first MSI capability. */
  msiFlags: number | undefined;
  /** Whether vfio follows the extended chain: it does after PCI Express or PCI-X 2.0, if 0x100 is not 0. */
  extendedChain: boolean;
  /** Why vfio refuses to open the device, so that no guest gets it; undefined where it does not. */
  refused: string | undefined;
}

const hex = (value: number, digits = 2) => `0x${value.toString(16).padStart(digits, '0')}`;

/**
 * Walks both capability chains as `vfio_cap_init` and `vfio_ecap_init` do, with their bounds (48 and a quarter of the
 * extended bytes), without masking pointers and without a check against overlaps: a loop, a pointer into the header or
 * a length past the end have the effect they have there.
 *
 * @param size `pdev->cfg_size`, 64 to 4,096
 * @param followExtended false where the bytes of extended space are not at hand
 */
export function walkCapabilities(
  space: Uint8Array,
  size: number,
  tables: VfioTables,
  followExtended: boolean,
): Walk {
  const reads = hardwareReads(space);
  const walk: Walk = {
    map: new Uint8Array(size).fill(MAP.UNASSIGNED).fill(MAP.HEADER, 0, HEADER_SIZE),
    owner: new Int16Array(size).fill(OWNER.UNASSIGNED).fill(OWNER.HEADER, 0, HEADER_SIZE),
    claims: [],
    hidden: [],
    anomalies: [],
    expressFlags: findExpressFlags(reads),
    msiFlags: undefined,
    extendedChain: false,
    refused: undefined,
  };
  walkStandard(walk, reads, size, tables);
  if (followExtended && walk.extendedChain && walk.refused === undefined)
    walkExtended(walk, reads, size, tables);
  return walk;
}

/** `pdev->pcie_flags_reg`: found when the device was enumerated, by `pci_find_capability`, which does mask pointers. */
function findExpressFlags(reads: HardwareReads): number | undefined {
  if (!((reads.byte(6) ?? 0) & 0x10)) return undefined;
  let at = (reads.byte(0x34) ?? 0) & 0xfc;
  for (let steps = 0; steps < 48 && at >= HEADER_SIZE; steps++) {
    const id = reads.byte(at);
    if (id === 0xff) return undefined;
    if (id === CAP.EXP) return reads.word(at + 2);
    at = (reads.byte(at + 1) ?? 0) & 0xfc;
  }
  return undefined;
}

function walkStandard(walk: Walk, reads: HardwareReads, size: number, tables: VfioTables): void {
  if (!((reads.byte(6) ?? 0) & 0x10)) return; // STATUS: no capability list
  const seen = new Map<number, number>();
  let at = reads.byte(0x34) ?? 0;
  for (let loops = (LEGACY_SIZE - HEADER_SIZE) / 4; at !== 0; loops--) {
    if (loops === 0) {
      walk.anomalies.push({ offset: at, problem: 'the standard chain has no end' });
      return;
    }
    const again = seen.has(at);
    if (!again) checkPointer(walk, at);
    const id = reads.byte(at) ?? 0xff;
    const next = reads.byte(at + 1) ?? 0xff;
    const length = vfioLength(false, id, at, reads, tables, walk.expressFlags ?? 0);
    if (length === undefined) return refuse(walk, false, id, at);
    if (length > 0) {
      if (id === CAP.MSI) walk.msiFlags ??= reads.word(at + 2);
      const extendable = id === CAP.EXP || (id === CAP.PCIX && length === 24);
      if (extendable && size > LEGACY_SIZE) walk.extendedChain = reads.dword(LEGACY_SIZE) !== 0;
      claim(walk, seen, { extended: false, id, name: capabilityName(false, id), start: at, length });
      if (walk.refused !== undefined) return;
    } else if (!again) {
      hide(walk, reads, false, id, at, false);
    }
    if (!again && length === 0) seen.set(at, -1);
    at = next;
  }
}

function walkExtended(walk: Walk, reads: HardwareReads, size: number, tables: VfioTables): void {
  const seen = new Map<number, number>();
  let at = LEGACY_SIZE;
  for (let loops = Math.floor((size - LEGACY_SIZE) / 4); at >= LEGACY_SIZE; loops--) {
    if (loops === 0) {
      walk.anomalies.push({ offset: at, problem: 'the extended chain has no end' });
      return;
    }
    const again = seen.has(at);
    const header = reads.dword(at)!;
    const id = header & 0xffff;
    const next = (header >>> 20) & 0xffc;
    if (!again && at >= size) {
      walk.anomalies.push({
        offset: at,
        problem: `a capability lies beyond the ${size} bytes of config space`,
      });
    }
    const length = vfioLength(true, id, at, reads, tables, 0);
    if (length === undefined) return refuse(walk, true, id, at);
    if (length > 0) {
      claim(walk, seen, { extended: true, id, name: capabilityName(true, id), start: at, length });
    } else {
      const anchor = seen.size === 0;
      if (!again) hide(walk, reads, true, id, at, anchor);
      if (anchor) claimAnchor(walk, id, at);
      if (!again) seen.set(at, -1);
    }
    if (walk.refused !== undefined) return;
    if (next > 0 && next < LEGACY_SIZE && !again) {
      walk.anomalies.push({ offset: at, problem: `the pointer ${hex(next)} leaves extended config space` });
    }
    at = next;
  }
}

function checkPointer(walk: Walk, at: number): void {
  if (at < HEADER_SIZE) walk.anomalies.push({ offset: at, problem: 'a capability pointer into the header' });
  else if (at % 4 !== 0)
    walk.anomalies.push({ offset: at, problem: 'a capability pointer that is not aligned' });
}

function hide(
  walk: Walk,
  reads: HardwareReads,
  extended: boolean,
  id: number,
  start: number,
  anchor: boolean,
): void {
  const length = hiddenLength(extended, id, start, reads);
  walk.hidden.push({ extended, id, name: capabilityName(extended, id), start, length, anchor });
}

/** Assigns a capability's bytes; `seen` remembers the claim of each offset, since a loop assigns them over and over. */
function claim(walk: Walk, seen: Map<number, number>, capability: Capability): void {
  const { id, start, length, name } = capability;
  let index = seen.get(start);
  if (index === undefined) {
    index = walk.claims.push({ kind: 'capability', capability }) - 1;
    seen.set(start, index);
    reportOverlap(walk, capability);
  }
  walk.map.fill(id, start, start + length);
  walk.owner.fill(index, start, start + length);
  refuseBeyondEnd(walk, start + length, name);
}

function claimAnchor(walk: Walk, id: number, start: number): void {
  const index = walk.claims.push({ kind: 'anchor', hidden: walk.hidden.at(-1)! }) - 1;
  const entry = id & 0xff; // the map has a byte: an id that ends in ff or fe makes the kernel treat the anchor as raw or virtual
  walk.map.fill(entry, start, start + 4);
  if (entry !== MAP.UNASSIGNED) walk.owner.fill(index, start, start + 4);
}

function reportOverlap(walk: Walk, { start, length, name }: Capability): void {
  const end = start + length;
  const inside = Math.min(end, walk.owner.length);
  if (end > walk.owner.length) {
    const problem = `${name} runs to ${hex(end)}, past the end of config space: the kernel writes past its own map`;
    walk.anomalies.push({ offset: start, problem });
  }
  for (let at = start; at < inside; at++) {
    if (walk.owner[at] === OWNER.UNASSIGNED) continue;
    walk.anomalies.push({ offset: at, problem: `${name} at ${hex(start)} overlaps what is there already` });
    return;
  }
}

/** `vfio_fill_vconfig_bytes` reads what it has assigned, which x86 cannot beyond 4,096 bytes. */
function refuseBeyondEnd(walk: Walk, end: number, name: string): void {
  if (end > EXTENDED_SIZE) walk.refused = `${name} runs past 4,096 bytes, where the kernel cannot read`;
}

function refuse(walk: Walk, extended: boolean, id: number, at: number): void {
  walk.refused = `the kernel cannot read the length of ${capabilityName(extended, id)} at ${hex(at)}`;
  walk.anomalies.push({ offset: at, problem: walk.refused });
}
