import { sha256 } from '../canonical-json.js';
import { timeOf } from './document-time.js';
import { MatchIndex } from './match-index.js';
import { admitsDomain, admitsNode, matches, mayMatch } from './policy-evaluation.js';
import type { PlacedExemption, PlacedRule, PolicyNode, PolicySet } from './policy-set.js';
import type { Mode } from './policy-terms.js';
import { hostShare, isEnforced, rolloutChanges } from './rollout.js';
import type { DeviceSubject, RuleSubject } from './rule-subject.js';

/** Rules that are indexed without a pause: some milliseconds' worth. */
const SLICE = 50;

/** What of a policy set holds on a node for a while: scopes, rollouts and exemptions are settled. */
export interface PolicyInForce {
  /** The first rule that matches; undefined where no rule speaks of the device. */
  findRule(subject: RuleSubject): PlacedRule | undefined;
  /** The rule's mode, and why it is not the one that is written. */
  modeOf(placed: PlacedRule): { mode: Mode; heldBack?: string };
  /** All exemptions that hold now and speak of the device. */
  exemptionsFor(subject: RuleSubject): PlacedExemption[];
  /** What may decide about a device, whichever domain is given it. Looks at every rule. */
  mayConcern(device: DeviceSubject): {
    /** In order; those behind one that speaks of every domain are left out. */
    rules: PlacedRule[];
    /** Whether one of them speaks of every domain: without it no rule may speak of the device. */
    always: boolean;
    exemptions: PlacedExemption[];
  };
  /** SHA-256 of what is settled; undefined for a set that is the same on every node and at any time. */
  readonly digest: string | undefined;
}

interface Prepared {
  rules: MatchIndex;
  exemptions: MatchIndex;
  /** Milliseconds since the epoch at which something begins or ends, ascending. */
  changes: readonly number[];
  /** Whether the node makes a difference. */
  scoped: boolean;
}

interface Settled {
  view: PolicyInForce;
  node: PolicyNode;
  /** Milliseconds since the epoch; `until` is not included. */
  from: number;
  until: number;
}

const prepared = new WeakMap<PolicySet, Prepared>();
/** The last two answers: a revision is weighed at times to come while decisions are made now. */
const settled = new WeakMap<PolicySet, readonly Settled[]>();

/**
 * What holds on a node at a time. Pure; the last answers of each set are remembered.
 *
 * @param at ISO 8601, UTC
 */
export function policyInForce(policies: PolicySet, node: PolicyNode, at: string): PolicyInForce {
  const time = Date.parse(at);
  const known = settled.get(policies) ?? [];
  const fits = known.find((each) => each.node === node && each.from <= time && time < each.until);
  if (fits) return fits.view;
  const ready = prepared.get(policies) ?? prepareNow(policies);
  const view = settle(policies, ready, node, time);
  const from = ready.changes.findLast((change) => change <= time) ?? -Infinity;
  const until = nextChange(policies, time) ?? Infinity;
  settled.set(policies, [{ view, node, from, until }, ...known.slice(0, 1)]);
  return view;
}

/** When the next exemption or rollout step begins or ends, in milliseconds since the epoch. */
export function nextChange(policies: PolicySet, time: number): number | undefined {
  return (prepared.get(policies) ?? prepareNow(policies)).changes.find((change) => change > time);
}

/** Builds the indexes of a set ahead of its use, a slice at a time, so that nothing else has to wait for long. */
export async function preparePolicies(policies: PolicySet, pause: () => Promise<void>): Promise<void> {
  const steps = preparation(policies);
  for (let step = steps.next(); ; step = steps.next()) {
    if (step.done) {
      prepared.set(policies, step.value);
      return;
    }
    await pause();
  }
}

function prepareNow(policies: PolicySet): Prepared {
  const steps = preparation(policies);
  let step = steps.next();
  while (!step.done) step = steps.next();
  prepared.set(policies, step.value);
  return step.value;
}

function* preparation({ rules, exemptions = [] }: PolicySet): Generator<void, Prepared> {
  const ready = { rules: new MatchIndex(), exemptions: new MatchIndex() };
  const changes = new Set<number>();
  let scoped = false;
  let done = 0;
  for (const { rule, scope } of rules) {
    ready.rules.add(rule.match);
    for (const change of rolloutChanges(rule.rollout)) changes.add(change);
    scoped ||= scope?.hosts !== undefined || rule.rollout !== undefined;
    if (++done % SLICE === 0) yield;
  }
  for (const { match, scope, from, expires } of exemptions) {
    ready.exemptions.add(match);
    changes.add(timeOf(from)).add(timeOf(expires));
    scoped ||= scope?.hosts !== undefined;
    if (++done % SLICE === 0) yield;
  }
  return { ...ready, changes: [...changes].toSorted((a, b) => a - b), scoped };
}

function settle(policies: PolicySet, ready: Prepared, node: PolicyNode, time: number): PolicyInForce {
  const { rules, exemptions = [] } = policies;
  const holding = exemptions.filter((exemption) => exemptionHolds(exemption, node, time));
  const holds = new Set(holding);
  const share = hostShare(node.name);
  const enforced = (placed: PlacedRule) => isEnforced(placed.rule.rollout, share, time);
  return {
    findRule: (subject) => {
      for (const position of ready.rules.candidates(subject)) {
        const placed = rules[position]!;
        const { rule, scope } = placed;
        if (admitsNode(scope, node) && admitsDomain(scope, subject.domain) && matches(rule.match, subject)) {
          return placed;
        }
      }
      return undefined;
    },
    modeOf: (placed) => {
      const { mode } = placed.rule;
      if (mode !== 'enforce' || enforced(placed)) return { mode };
      return { mode: 'observe', heldBack: 'its rollout has not reached this host yet' };
    },
    exemptionsFor: (subject) => {
      if (holding.length === 0) return [];
      return [...ready.exemptions.candidates(subject)]
        .map((position) => exemptions[position]!)
        .filter(
          (exemption) =>
            holds.has(exemption) &&
            admitsDomain(exemption.scope, subject.domain) &&
            matches(exemption.match, subject),
        );
    },
    mayConcern: (device) => {
      const found = rules.filter(
        ({ rule, scope }) => admitsNode(scope, node) && mayMatch(rule.match, device),
      );
      const last = found.findIndex(({ rule, scope }) => !scope?.domains && !rule.match?.domains);
      return {
        rules: last === -1 ? found : found.slice(0, last + 1),
        always: last !== -1,
        exemptions: holding.filter(({ match }) => mayMatch(match, device)),
      };
    },
    digest:
      ready.scoped || exemptions.length > 0 ? settledDigest(policies, node, holding, enforced) : undefined,
  };
}

/** Whether an exemption has begun, has not ended, and is meant for the node. */
export function exemptionHolds(
  { from, expires, scope }: PlacedExemption,
  node: PolicyNode,
  time: number,
): boolean {
  return timeOf(from) <= time && time < timeOf(expires) && admitsNode(scope, node);
}

function settledDigest(
  { rules }: PolicySet,
  node: PolicyNode,
  holding: readonly PlacedExemption[],
  enforced: (placed: PlacedRule) => boolean,
): string {
  const admitted = new Set<string>();
  const rolledOut: string[] = [];
  for (const placed of rules) {
    if (admitsNode(placed.scope, node)) admitted.add(placed.policy);
    if (placed.rule.rollout && enforced(placed)) rolledOut.push(`${placed.policy}/${placed.rule.name}`);
  }
  return sha256({
    policies: [...admitted].toSorted(),
    rolledOut: rolledOut.toSorted(),
    exemptions: holding.map(({ name }) => name).toSorted(),
  });
}
