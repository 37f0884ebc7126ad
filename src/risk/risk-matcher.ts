import {
  admitsKindAndRevision,
  deviceIdsOf,
  levelOf,
  specificityOf,
  type DeviceMatch,
  type MatchLevel,
  type PciIdentity,
} from './device-match.js';
import type { RiskEntry } from './risk-entry.js';

/** An entry that speaks of a function, and how exactly it names it. */
export interface RiskMatch {
  entry: RiskEntry;
  level: MatchLevel;
  /** See `specificityOf`. */
  specificity: number;
}

interface IndexedRule extends RiskMatch {
  rule: DeviceMatch;
}

/**
 * Finds the entries of a function. A lookup takes one hash access for each level of `MATCH_LEVELS` (11) and then as long
 * as there are entries under those keys; it does not grow with the entries about other devices.
 */
export class RiskMatcher {
  private readonly rules = new Map<string, IndexedRule[]>();

  constructor(entries: readonly RiskEntry[]) {
    for (const entry of entries) {
      for (const rule of entry.match) {
        const indexed = { entry, rule, level: levelOf(rule), specificity: specificityOf(rule) };
        for (const key of ruleKeys(rule)) {
          const bucket = this.rules.get(key);
          if (bucket) bucket.push(indexed);
          else this.rules.set(key, [indexed]);
        }
      }
    }
  }

  /**
   * Each entry that matches, once, by its most specific rule: the most specific first, then by id. Order and content do
   * not depend on the order of the entries.
   */
  lookup(fn: PciIdentity): RiskMatch[] {
    const best = new Map<RiskEntry, RiskMatch>();
    for (const key of identityKeys(fn)) {
      for (const { entry, rule, level, specificity } of this.rules.get(key) ?? []) {
        if (!admitsKindAndRevision(rule, fn)) continue;
        const known = best.get(entry);
        if (!known || known.specificity < specificity) best.set(entry, { entry, level, specificity });
      }
    }
    return [...best.values()].toSorted(bySpecificity);
  }
}

function bySpecificity(a: RiskMatch, b: RiskMatch): number {
  return b.specificity - a.specificity || (a.entry.id < b.entry.id ? -1 : 1);
}

/** The keys below tell the levels apart by their punctuation: `10de:2330`, `10de/03`, `/0108`. */
function ruleKeys(rule: DeviceMatch): string[] {
  const devices = deviceIdsOf(rule);
  if (!devices) return [`${rule.vendor ?? ''}/${rule.class ?? ''}`];
  const subsystem =
    rule.subsystemVendor === undefined ? '' : `:${rule.subsystemVendor}:${rule.subsystemDevice ?? ''}`;
  return devices.map((device) => `${rule.vendor}:${device}${subsystem}`);
}

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
