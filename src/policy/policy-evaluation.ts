import type { Bdf } from '../pci/bdf.js';
import type { PciFunction } from '../pci/pci-function.js';
import type { RuleMatch } from './policy-document.js';
import type { PolicyNode } from './policy-set.js';
import { metadataValues, type DeviceSubject, type DomainFacts, type RuleSubject } from './rule-subject.js';
import type { DeviceSelector, DomainSelector, HostSelector, Scope } from './selectors.js';

/** Whether a rule, or an exemption, speaks of a device of a domain. */
export function matches(match: RuleMatch | undefined, subject: RuleSubject): boolean {
  return (
    mayMatch(match, subject) &&
    (!match?.domains || match.domains.some((selector) => domainMatches(selector, subject.domain)))
  );
}

/** Whether a rule, or an exemption, speaks of a device if it is given to the right domain. */
export function mayMatch(match: RuleMatch | undefined, device: DeviceSubject): boolean {
  if (!match) return true;
  return (
    (!match.devices ||
      match.devices.some((selector) => deviceMatches(selector, device.source, device.function))) &&
    (!match.risk || device.knownBy.has(match.risk.knownBy))
  );
}

/** Whether a scope admits a node. */
export function admitsNode(scope: Scope | undefined, node: PolicyNode): boolean {
  return !scope?.hosts || scope.hosts.some((selector) => hostMatches(selector, node));
}

/** Whether a scope admits a domain. */
export function admitsDomain(scope: Scope | undefined, domain: DomainFacts): boolean {
  return !scope?.domains || scope.domains.some((selector) => domainMatches(selector, domain));
}

export function deviceMatches(
  selector: DeviceSelector,
  source: Bdf | undefined,
  fn: PciFunction | undefined,
): boolean {
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

export function domainMatches(selector: DomainSelector, domain: DomainFacts): boolean {
  const { uuid, name, project, flavor, machine, metadata } = selector;
  const isLike = (pattern: string | undefined, text: string | undefined) =>
    pattern === undefined || (text !== undefined && globMatches(pattern, text));
  return (
    (uuid === undefined || uuid.toLowerCase() === domain.uuid?.toLowerCase()) &&
    isLike(name, domain.name) &&
    (project === undefined || (domain.projects ?? []).some((each) => globMatches(project, each))) &&
    isLike(flavor, domain.flavor) &&
    isLike(machine, domain.machine) &&
    (metadata === undefined ||
      metadataValues(domain, metadata.namespace, metadata.element, metadata.attribute).some((value) =>
        isLike(metadata.value, value),
      ))
  );
}

function hostMatches({ name, labels }: HostSelector, node: PolicyNode): boolean {
  return (
    (name === undefined || globMatches(name, node.name)) &&
    (labels ?? []).every((label) => node.labels.includes(label))
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
