import type { PciFunction } from '../pci/pci-function.js';
import type { Bdf } from '../pci/bdf.js';
import type { DeviceSelector, DomainSelector, PolicyRule } from './policy-document.js';
import type { Knowledge } from './policy-terms.js';

/** A rule with where it stands, as decisions name it. */
export interface PlacedRule {
  policy: string;
  /** Absolute or relative path as it was loaded. */
  file: string;
  rule: PolicyRule;
}

/** All rules in force, in order, and the revision that decisions name. */
export interface PolicySet {
  revision: string;
  rules: readonly PlacedRule[];
}

/** What a rule may look at. */
export interface RuleSubject {
  domain: { name: string; uuid?: string };
  /** Address of the host function, if it is known. */
  source?: Bdf;
  /** The host function; absent where the inventory does not have it. */
  function?: PciFunction;
  /** How exactly the risk database knows it; empty where it knows nothing. */
  knownBy: ReadonlySet<Knowledge>;
}

/** The first rule that matches; undefined where no rule speaks of the device. */
export function findRule(policies: PolicySet, subject: RuleSubject): PlacedRule | undefined {
  return policies.rules.find(({ rule }) => ruleMatches(rule, subject));
}

function ruleMatches({ match }: PolicyRule, subject: RuleSubject): boolean {
  if (!match) return true;
  return (
    (!match.devices || match.devices.some((selector) => deviceMatches(selector, subject))) &&
    (!match.domains || match.domains.some((selector) => domainMatches(selector, subject.domain))) &&
    (!match.risk || subject.knownBy.has(match.risk.knownBy))
  );
}

function deviceMatches(selector: DeviceSelector, { function: fn, source }: RuleSubject): boolean {
  if (selector.bdf !== undefined && selector.bdf !== source) return false;
  const needsFunction = selector.vendor ?? selector.device ?? selector.class ?? selector.function;
  if (needsFunction === undefined) return true;
  return (
    fn !== undefined &&
    (selector.vendor === undefined || selector.vendor === fn.vendor) &&
    (selector.device === undefined || selector.device === fn.device) &&
    (selector.class === undefined || fn.class.startsWith(selector.class)) &&
    (selector.function === undefined || selector.function === fn.kind)
  );
}

function domainMatches(selector: DomainSelector, domain: RuleSubject['domain']): boolean {
  return (
    (selector.uuid === undefined || selector.uuid.toLowerCase() === domain.uuid?.toLowerCase()) &&
    (selector.name === undefined || globMatches(selector.name, domain.name))
  );
}

/** Matches `*` in linear time: a pattern from a policy file must not be able to stall a decision. */
export function globMatches(pattern: string, text: string): boolean {
  const parts = pattern.split('*');
  if (parts.length === 1) return pattern === text;
  const first = parts[0]!;
  const last = parts.at(-1)!;
  if (!text.startsWith(first) || text.length < first.length + last.length || !text.endsWith(last))
    return false;
  let at = first.length;
  const end = text.length - last.length;
  for (const part of parts.slice(1, -1)) {
    const found = text.indexOf(part, at);
    if (found === -1 || found + part.length > end) return false;
    at = found + part.length;
  }
  return true;
}
