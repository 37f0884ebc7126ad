import {
  CAP,
  EXTENDED_SIZE,
  HEADER_SIZE,
  LEGACY_SIZE,
  NEWEST_TABLES,
  type VfioTables,
} from './capability-tables.js';
import {
  OWNER,
  walkCapabilities,
  type Anomaly,
  type Capability,
  type Claim,
  type HiddenCapability,
  type Walk,
} from './capability-walk.js';
import { judgeWrites, offersAdvancedFeaturesReset } from './write-judgement.js';
import type { WriteReach } from './write-permissions.js';

/** Who a byte belongs to, as vfio counts. */
export type Owner =
  | { kind: 'header' }
  | { kind: 'capability'; capability: Capability }
  /** The first 4 bytes of a hidden first extended capability: a read-only placeholder. */
  | { kind: 'anchor'; hidden: HiddenCapability }
  /** No capability that the guest is shown; `hidden` where one that it is not shown has (at least) this byte. */
  | { kind: 'unassigned'; hidden?: HiddenCapability };

/** A maximal run of bytes with the same owner and the same reach of a guest's write. Never spans 0x100. */
export interface Region {
  start: number;
  /** Bytes, at least 1. */
  length: number;
  owner: Owner;
  write: WriteReach;
}

/** `legacy` is 0x00-0xff, `extended` 0x100-0xfff. */
export type ConfigSpacePart = 'legacy' | 'extended';

/** A function's config space as vfio-pci presents it to a guest. */
export interface ConfigSpaceLayout {
  /**
   * Bytes from 0 of which the owner is known: 0, 64, 256, 4,096, or a device's cap. Where the layout is complete this is
   * `pdev->cfg_size`, and vfio refuses (EFAULT) what lies beyond; where not, nothing is said of what lies beyond.
   */
  size: number;
  /** `pdev->cfg_size` in bytes; undefined where the bytes given do not tell. */
  configSize: number | undefined;
  /** Whether all of config space is known. Where it is not, what the layout does not list may still be there. */
  complete: boolean;
  /** Whether there is a PCI Express capability; undefined where that cannot be told. */
  express: boolean | undefined;
  /** Whether vfio follows the extended chain; where it does not, all extended bytes are unassigned. */
  extendedChain: boolean | undefined;
  /** Shown to the guest, in the order of the chains. */
  capabilities: readonly Capability[];
  /** In the chains, but not shown. */
  hidden: readonly HiddenCapability[];
  /** Whether a guest's FLR bit (DEVCTL or Advanced Features) makes vfio reset the function; undefined as `express`. */
  functionLevelReset: boolean | undefined;
  /** Ascending, without gaps, from 0 to `size`. */
  regions: readonly Region[];
  anomalies: readonly Anomaly[];
  /** Why vfio refuses to open this device; undefined where it does not. */
  refused: string | undefined;
  /** Owner of each of the `size` bytes. Bytes of one owner share one object. */
  owner: readonly Owner[];
  /** How a guest's write to each of the `size` bytes fares. */
  writeReach: readonly WriteReach[];
  /** For each of the `size` bytes the bits of a guest's write that reach hardware as written. */
  writableBits: Uint8Array;
  /** The kernel's `pci_config_map`, `size` bytes: 0 header, a capability's id, 0xff unassigned. */
  kernelMap: Uint8Array;
  /** Bytes known to belong to no capability the guest is shown, those of hidden capabilities included. */
  unassignedBytes(part: ConfigSpacePart): number;
}

export interface LayoutOptions {
  /** `pdev->cfg_size` in bytes, where it is known apart from the bytes (the size of sysfs' `config`, a quirk's cap). */
  configSize?: number;
  /** The kernel's tables; the newest checked ones where not given. */
  tables?: VfioTables;
}

const HEADER_OWNER: Owner = { kind: 'header' };
const UNASSIGNED_OWNER: Owner = { kind: 'unassigned' };
/** A header whose STATUS register says that there is no capability. */
const NO_CHAIN = new Uint8Array(HEADER_SIZE);

/**
 * The layout of a config space, exactly as `vfio_config_init` builds its map and as `vfio_pci_config_rw` judges
 * writes. Whatever the bytes say, it gives an answer; `test/layout-oracle` holds it against the kernel's code.
 *
 * Of fewer than 256 bytes (sysfs without privilege gives 64) only the header is known, of fewer than `configSize` only
 * the first 256 bytes, if vfio follows an extended chain.
 *
 * @throws RangeError if `configSize` is not a whole number from 64 to 4,096
 */
export function layoutOf(configSpace: Uint8Array, options: LayoutOptions = {}): ConfigSpaceLayout {
  const { configSize, tables = NEWEST_TABLES } = options;
  if (
    configSize !== undefined &&
    !(Number.isInteger(configSize) && configSize >= HEADER_SIZE && configSize <= EXTENDED_SIZE)
  ) {
    throw new RangeError(`configSize is ${configSize}, not a whole number from 64 to 4096`);
  }
  const given = Math.min(configSpace.length, configSize ?? EXTENDED_SIZE);
  const chainGiven = given >= LEGACY_SIZE;
  const extendedGiven = given === (configSize ?? given);
  // Half a chain would pass for a whole one, so one that is not given in full is not followed at all.
  const walk = walkCapabilities(
    chainGiven ? configSpace : NO_CHAIN, // a pointer can lead beyond configSize, where the kernel reads on
    Math.max(HEADER_SIZE, chainGiven ? (configSize ?? given) : given),
    tables,
    chainGiven && extendedGiven,
  );
  const size = knownBytes(walk, given, chainGiven, extendedGiven);
  const fullSize = configSize ?? fullSizeOf(walk, given, chainGiven);
  const known: Walk = { ...walk, map: walk.map.slice(0, size), owner: walk.owner.slice(0, size) };
  if (size > 0 && configSpace.subarray(0, HEADER_SIZE).every((byte) => byte === 0xff)) {
    walk.anomalies.unshift({ offset: 0, problem: 'the header reads all-ones: the device does not answer' });
  }

  const { writableBits, writeReach } = judgeWrites(known, configSpace, tables);
  const owner = ownersOf(known);
  return {
    size,
    configSize: fullSize,
    complete: size === fullSize,
    express: chainGiven ? walk.expressFlags !== undefined : undefined,
    extendedChain: extendedChainOf(walk, given, fullSize),
    capabilities: walk.claims.flatMap((claim) => (claim.kind === 'capability' ? [claim.capability] : [])),
    hidden: walk.hidden,
    functionLevelReset: chainGiven ? hasFunctionLevelReset(walk, configSpace) : undefined,
    regions: regionsOf(owner, writeReach),
    anomalies: walk.anomalies,
    refused: walk.refused,
    owner,
    writeReach,
    writableBits,
    kernelMap: known.map,
    unassignedBytes: (part) => countUnassigned(known.owner, part),
  };
}

function knownBytes(walk: Walk, given: number, chainGiven: boolean, extendedGiven: boolean): number {
  if (given < HEADER_SIZE) return 0;
  if (!chainGiven) return HEADER_SIZE;
  return extendedGiven || !walk.extendedChain ? walk.map.length : LEGACY_SIZE;
}

/** A dump of the first 256 bytes does not tell whether a PCI Express (or PCI-X 2.0) function has more. */
function fullSizeOf(walk: Walk, given: number, chainGiven: boolean): number | undefined {
  if (!chainGiven) return undefined;
  const mayHaveMore = walk.expressFlags !== undefined || walk.claims.some(isPcix2);
  return given === LEGACY_SIZE && mayHaveMore ? undefined : given;
}

function isPcix2(claim: Claim): boolean {
  return claim.kind === 'capability' && claim.capability.id === CAP.PCIX && claim.capability.length === 24;
}

/** Only 0x100 tells whether a function with extended space has a chain there. */
function extendedChainOf(walk: Walk, given: number, fullSize: number | undefined): boolean | undefined {
  if (fullSize === undefined || given < LEGACY_SIZE) return undefined;
  return walk.extendedChain && given < LEGACY_SIZE + 4 ? undefined : walk.extendedChain;
}

function countUnassigned(owner: Int16Array, part: ConfigSpacePart): number {
  const bytes = part === 'legacy' ? owner.subarray(0, LEGACY_SIZE) : owner.subarray(LEGACY_SIZE);
  return bytes.reduce((count, at) => (at === OWNER.UNASSIGNED ? count + 1 : count), 0);
}

function hasFunctionLevelReset(walk: Walk, configSpace: Uint8Array): boolean {
  return walk.claims.some((claim) => {
    if (claim.kind !== 'capability' || claim.capability.extended) return false;
    const { id, start } = claim.capability;
    if (id === CAP.EXP) return ((configSpace[start + 7] ?? 0) & 0x10) !== 0; // PCI_EXP_DEVCAP_FLR
    return id === CAP.AF && offersAdvancedFeaturesReset(configSpace, start);
  });
}

function ownersOf(walk: Walk): Owner[] {
  const unassigned = walk.hidden.map((hidden): Owner => ({ kind: 'unassigned', hidden }));
  const hiddenAt = hiddenBytes(walk);
  return Array.from(walk.owner, (index, at): Owner => {
    if (index >= 0) return walk.claims[index]!;
    if (index === OWNER.HEADER) return HEADER_OWNER;
    return unassigned[hiddenAt[at]! - 1] ?? UNASSIGNED_OWNER;
  });
}

function regionsOf(owner: readonly Owner[], writeReach: readonly WriteReach[]): Region[] {
  const regions: Region[] = [];
  let last: Region | undefined;
  for (const [at, mine] of owner.entries()) {
    const write = writeReach[at]!;
    if (last && last.owner === mine && last.write === write && at !== LEGACY_SIZE) last.length += 1;
    else regions.push((last = { start: at, length: 1, owner: mine, write }));
  }
  return regions;
}

/** For each byte 1 + the index of the hidden capability that has it, 0 where none does. */
function hiddenBytes(walk: Walk): Uint16Array {
  const bytes = new Uint16Array(walk.map.length);
  walk.hidden.forEach(({ start, length, extended }, index) => {
    // Where the length cannot be told at least the id and the pointer are the capability's.
    bytes.fill(index + 1, start, start + (length ?? (extended ? 4 : 2)));
  });
  return bytes;
}
