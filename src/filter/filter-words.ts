import type { Decision } from '../decision/decision.js';
import type { DomainDocument } from '../domain-xml/domain-document.js';
import { readFilter, rulesInForce } from '../domain-xml/qemu-filter.js';
import { filterDigest, rulesOf } from '../mitigation/qemu-filter/filter-text.js';

/** What a running QEMU says of its filter of one function: of the library's log line, or of the property. */
export interface FilterWord {
  mode: string;
  /** As `filterDigest` makes it of the function's rules. */
  digest: string;
}

/**
 * Words by the address of the function; one that is not among them has no filter, unless the words are put together of files
 * between which something may be lost. `reason`: why there are none to be had, which says nothing of the filter.
 */
export type FilterWords =
  { words: ReadonlyMap<string, FilterWord>; incomplete?: boolean } | { reason: string };

/** A function whose protection rests on the filter of its domain's QEMU. */
export interface RelyingFunction {
  bdf: string;
  /** Of the rules that its domain was started with. */
  digest: string;
  /** Whether policy lets the domain run on without it. */
  unverified: 'alarm' | 'stop';
}

/** How a running domain was given its filter. */
export function carrierInForce({ root }: DomainDocument): 'property' | 'preload' {
  return readFilter(root).properties.has('x-config-filter') ? 'property' : 'preload';
}

/**
 * Those for which the domain's document has rules: one that has none was started before the plan asked for the filter, and is told of
 * as a domain that lacks edits.
 *
 * @param document the domain as it runs, which the decision is about
 */
export function relyingFunctions(document: DomainDocument, { devices }: Decision): RelyingFunction[] {
  const text = rulesInForce(document.root) ?? '';
  return devices.flatMap(({ source, mode, plan, unverified }): RelyingFunction[] => {
    const filtered = plan.mechanisms.some(({ name }) => name === 'qemu-config-filter');
    if (source === undefined || mode !== 'enforce' || !filtered) return [];
    const rules = rulesOf(text, source);
    if (rules === undefined) return [];
    return [{ bdf: source, digest: filterDigest(rules), unverified: unverified ?? 'alarm' }];
  });
}

/** Why a function is not filtered as its domain's document says; undefined where it is. */
export function whyUnfiltered(
  { bdf, digest }: RelyingFunction,
  words: ReadonlyMap<string, FilterWord>,
): string | undefined {
  const word = words.get(bdf);
  if (word === undefined) return `${bdf}: its QEMU has no filter for it`;
  if (word.mode !== 'block')
    return `${bdf}: the filter of its QEMU is at ${word.mode.slice(0, 20)}, not at block`;
  return word.digest === digest
    ? undefined
    : `${bdf}: the filter of its QEMU has other rules than its document`;
}
