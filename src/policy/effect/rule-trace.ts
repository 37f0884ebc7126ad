import type { DeviceDecision } from '../../decision/decision.js';
import type { DomainDocument } from '../../domain-xml/domain-document.js';
import type { Inventory } from '../../pci/inventory.js';
import { parseBdf } from '../../pci/bdf.js';
import { admitsDomain, admitsNode, deviceMatches, domainMatches } from '../policy-evaluation.js';
import type { PlacedRule, PolicyNode, PolicySet } from '../policy-set.js';
import { domainFacts, type RuleSubject } from '../rule-subject.js';

/** What became of one rule for a device. */
export interface TracedRule {
  /** `POLICY/RULE` */
  rule: string;
  file: string;
  /** `DECIDES`, or why it does not. */
  verdict: string;
}

/** The rules up to the one that decides about a device, each with why it does not. */
export function traceRules(
  { rules }: PolicySet,
  node: PolicyNode,
  document: DomainDocument,
  device: DeviceDecision,
  inventory: Inventory,
): TracedRule[] {
  const source = device.source === undefined ? undefined : parseBdf(device.source);
  const subject: RuleSubject = {
    domain: domainFacts(document),
    source,
    function: source && inventory.get(source),
    knownBy: new Set(device.findings.flatMap(({ risk }) => (risk ? [risk.knownBy] : []))),
  };
  const traced: TracedRule[] = [];
  for (const placed of rules) {
    const mismatch = whyNot(placed, node, subject);
    traced.push({
      rule: `${placed.policy}/${placed.rule.name}`,
      file: placed.file,
      verdict: mismatch ?? 'DECIDES',
    });
    if (mismatch === undefined) break;
  }
  return traced;
}

function whyNot({ rule, scope }: PlacedRule, node: PolicyNode, subject: RuleSubject): string | undefined {
  const { match } = rule;
  if (!admitsNode(scope, node)) return "its policy's scope does not have this host";
  if (!admitsDomain(scope, subject.domain)) return "its policy's scope does not have this domain";
  if (match?.devices?.every((selector) => !deviceMatches(selector, subject.source, subject.function))) {
    return 'no device selector matches';
  }
  if (match?.domains?.every((selector) => !domainMatches(selector, subject.domain))) {
    return 'no domain selector matches';
  }
  if (match?.risk && !subject.knownBy.has(match.risk.knownBy)) {
    return `the risk database knows no risk of the device by its ${match.risk.knownBy}`;
  }
  return undefined;
}
