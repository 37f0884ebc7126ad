import {
  admitsKindAndRevision,
  hexRange,
  levelOf,
  specificityOf,
  type DeviceMatch,
  type MatchLevel,
  type PciIdentity,
} from './device-match.js';
import type { RiskEntry } from './risk-entry.js';
import { keyHash, type RiskPack } from './risk-pack.js';
import { TextBlockReader } from './text-blocks.js';

/** An entry that speaks of a function, and how exactly it names it. */
export interface RiskMatch {
  entry: RiskEntry;
  level: MatchLevel;
  /** See `specificityOf`. */
  specificity: number;
}

/** Entries that are kept as objects; a host has less kinds of devices. */
const MAX_DECODED = 2048;

/**
 * Finds the entries of a function. A lookup takes one binary search for each level of `MATCH_LEVELS` (11) and then as long
 * as there are entries under those keys; it does not grow with the entries about other devices.
 */
export class RiskMatcher {
  private readonly decoded = new Map<number, RiskEntry>();

  private readonly text: TextBlockReader;

  constructor(private readonly pack: RiskPack) {
    this.text = new TextBlockReader(pack.text);
  }

  get count(): number {
    return this.pack.offsets.length / 2;
  }

  /** The entry at a place in the order of ids. */
  entryAt(at: number): RiskEntry {
    const known = this.decoded.get(at);
    if (known) return known;
    const entry = this.decode(at);
    if (this.decoded.size >= MAX_DECODED) this.decoded.clear();
    this.decoded.set(at, entry);
    return entry;
  }

  /** Every entry, by id. */
  *entries(): Generator<RiskEntry> {
    for (let at = 0; at < this.count; at += 1) yield this.decoded.get(at) ?? this.decode(at);
  }

  find(id: string): RiskEntry | undefined {
    let from = 0;
    let to = this.count;
    while (from < to) {
      const middle = (from + to) >> 1;
      if (this.entryAt(middle).id < id) from = middle + 1;
      else to = middle;
    }
    const entry = from < this.count ? this.entryAt(from) : undefined;
    return entry?.id === id ? entry : undefined;
  }

  /**
   * Each entry that matches, once, by its most specific rule: the most specific first, then by id. Order and content do
   * not depend on the order of the entries.
   */
  lookup(fn: PciIdentity): RiskMatch[] {
    const best = new Map<number, RiskMatch>();
    const { hashes, postings } = this.pack;
    for (const key of identityKeys(fn)) {
      const hash = keyHash(key);
      for (let at = firstAt(hashes, hash); hashes[at] === hash; at += 1) {
        const number = postings[2 * at]!;
        const entry = this.entryAt(number);
        const rule = entry.match[postings[2 * at + 1]!]!;
        if (!namesIds(rule, fn) || !admitsKindAndRevision(rule, fn)) continue;
        const specificity = specificityOf(rule);
        const known = best.get(number);
        if (!known || known.specificity < specificity) {
          best.set(number, { entry, level: levelOf(rule), specificity });
        }
      }
    }
    return [...best.values()].toSorted(bySpecificity);
  }

  private decode(at: number): RiskEntry {
    const { offsets } = this.pack;
    return JSON.parse(this.text.read(offsets[2 * at]!, offsets[2 * at + 1]!)) as RiskEntry;
  }
}

function bySpecificity(a: RiskMatch, b: RiskMatch): number {
  return b.specificity - a.specificity || (a.entry.id < b.entry.id ? -1 : 1);
}

/** Place of the first that is not less than a number. */
function firstAt(ascending: Uint32Array, number: number): number {
  let from = 0;
  let to = ascending.length;
  while (from < to) {
    const middle = (from + to) >> 1;
    if (ascending[middle]! < number) from = middle + 1;
    else to = middle;
  }
  return from;
}

/** As `ruleKeys` of `risk-pack.ts` has them. */
function identityKeys(fn: PciIdentity): string[] {
  const device = `${fn.vendor}:${fn.device}`;
  const keys = [device, `${fn.vendor}/`, '/'];
  if (fn.subsystemVendor !== undefined) {
    keys.push(`${device}:${fn.subsystemVendor}:`);
    if (fn.subsystemDevice !== undefined) keys.push(`${device}:${fn.subsystemVendor}:${fn.subsystemDevice}`);
  }
  for (let length = 2; fn.class !== undefined && length <= fn.class.length; length += 2) {
    const prefix = fn.class.slice(0, length);
    keys.push(`${fn.vendor}/${prefix}`, `/${prefix}`);
  }
  return keys;
}

/** Whether a rule names a function by its ids and class: two keys may have one hash. */
function namesIds(rule: DeviceMatch, fn: PciIdentity): boolean {
  const device = parseInt(fn.device, 16);
  return (
    (rule.vendor === undefined || rule.vendor === fn.vendor) &&
    (rule.device === undefined ||
      rule.device.some((item) => {
        const [from, to] = hexRange(item);
        return from <= device && device <= to;
      })) &&
    (rule.subsystemVendor === undefined || rule.subsystemVendor === fn.subsystemVendor) &&
    (rule.subsystemDevice === undefined || rule.subsystemDevice === fn.subsystemDevice) &&
    (rule.class === undefined || fn.class?.startsWith(rule.class) === true)
  );
}
