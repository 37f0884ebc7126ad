import { keyOfDevice, keyOfDomain } from '../match-index.js';
import type { PolicyRule } from '../policy-document.js';
import type { PlacedRule } from '../policy-set.js';
import type { DeviceSelector, DomainSelector } from '../selectors.js';
import { relationOfDevices, relationOfDomains, relationOfHosts, type Relation } from './selector-relation.js';

/** What an earlier rule does to a later one: it leaves it nothing, or decides otherwise about a part of it. */
export interface Overlap<N> {
  kind: 'hides' | 'contradicts';
  earlier: N;
}

/**
 * Comparisons and entries of the index for one set. Ten thousand rules of the usual kind need a tenth of it; it ends what
 * rules that somebody made for that could cost, after less than a second.
 */
const MAX_STEPS = 500_000;

type Rule = Pick<PlacedRule, 'rule' | 'scope'>;

interface Added<N> {
  rule: Rule;
  note: N;
}

/**
 * Finds for each rule an earlier one that matches the same devices and does otherwise. Rules are compared only with those
 * that agree with them in all that they name exactly, which an index for each combination of such fields finds.
 */
export class OverlapFinder<N> {
  /** By the fields that rules name exactly. */
  private readonly shapes = new Map<string, Shape<N>>();
  private steps = 0;

  /** Whether it gave up looking. */
  get exhausted(): boolean {
    return this.steps >= MAX_STEPS;
  }

  /** @param note what is told of a later rule that overlaps with it */
  add(rule: Rule, note: N): Overlap<N> | undefined {
    const facts = exactFacts(rule);
    const breadth = breadthOf(rule);
    const found = this.find(rule, facts, breadth);
    const added = { rule, note };
    for (const fact of facts) {
      const fields = [...fact.keys()];
      const name = [...breadth, ...fields].join();
      let shape = this.shapes.get(name);
      if (!shape) this.shapes.set(name, (shape = { breadth, fields, entries: [], indexes: new Map() }));
      this.steps += 1 + shape.indexes.size;
      shape.entries.push({ fact, added });
      for (const index of shape.indexes.values()) put(index, fact, added);
    }
    return found;
  }

  private find(rule: Rule, facts: readonly Fact[], breadth: Breadth): Overlap<N> | undefined {
    let contradiction: Overlap<N> | undefined;
    const seen = new Set<Added<N>>();
    for (const shape of this.shapes.values()) {
      if (shape.breadth.some((each, at) => each < breadth[at]!)) continue;
      for (const fact of facts) {
        for (const earlier of this.agreeing(shape, fact)) {
          if ((this.steps += 1) >= MAX_STEPS) return contradiction;
          if (seen.has(earlier)) continue;
          seen.add(earlier);
          const kind = overlapOf(earlier.rule, rule);
          if (kind === 'hides') return { kind, earlier: earlier.note };
          if (kind) contradiction ??= { kind, earlier: earlier.note };
        }
      }
    }
    return contradiction;
  }

  private agreeing(shape: Shape<N>, fact: Fact): readonly Added<N>[] {
    const shared = shape.fields.filter((field) => fact.has(field));
    const name = shared.join();
    let index = shape.indexes.get(name);
    if (!index) {
      shape.indexes.set(name, (index = { fields: shared, byKey: new Map() }));
      this.steps += shape.entries.length;
      for (const entry of shape.entries) put(index, entry.fact, entry.added);
    }
    return index.byKey.get(keyOf(shared, fact)) ?? [];
  }
}

/** Of devices and of domains, see `keyOfDevice`: a rule that names fewer is an exception from one that names more. */
type Breadth = readonly [devices: number, domains: number];

function breadthOf({ rule: { match } }: Rule): Breadth {
  const { devices = [], domains = [] } = match ?? {};
  const widest = (all: readonly { breadth: number }[]) =>
    all.length === 0 ? Infinity : Math.max(...all.map(({ breadth }) => breadth));
  return [widest(devices.map(keyOfDevice)), widest(domains.map(keyOfDomain))];
}

/** Fields with what a selector of a rule names exactly. */
type Fact = ReadonlyMap<string, string>;

interface Shape<N> {
  breadth: Breadth;
  fields: readonly string[];
  entries: { fact: Fact; added: Added<N> }[];
  /** By some of the fields. */
  indexes: Map<string, Index<N>>;
}

interface Index<N> {
  fields: readonly string[];
  byKey: Map<string, Added<N>[]>;
}

function put<N>({ fields, byKey }: Index<N>, fact: Fact, added: Added<N>): void {
  const key = keyOf(fields, fact);
  const list = byKey.get(key);
  if (list) list.push(added);
  else byKey.set(key, [added]);
}

function keyOf(fields: readonly string[], fact: Fact): string {
  return fields.map((field) => fact.get(field)).join('\0');
}

/** One for each device, or each domain, that the rule selects; of the other side, and of hosts, only what is a single one. */
function exactFacts({ rule: { match = {} }, scope }: Rule): Fact[] {
  const { devices = [{}], domains = [{}] } = match;
  const hosts = scope?.hosts?.length === 1 ? given({ host: exact(scope.hosts[0]!.name) }) : [];
  const ofDevices = devices.map((selector) => [...deviceFields(selector), ...hosts]);
  const ofDomains = domains.map((selector) => domainFields(selector));
  if (ofDomains.length === 1) return ofDevices.map((fields) => new Map([...fields, ...ofDomains[0]!]));
  if (ofDevices.length === 1) return ofDomains.map((fields) => new Map([...ofDevices[0]!, ...fields]));
  return ofDevices.map((fields) => new Map(fields));
}

function deviceFields({ vendor, device, class: code, function: kind, bdf }: DeviceSelector) {
  return given({ vendor, device, class: code?.slice(0, 2), function: kind, bdf });
}

function domainFields({ uuid, name, project, flavor }: DomainSelector) {
  return given({
    uuid: uuid?.toLowerCase(),
    name: exact(name),
    project: exact(project),
    flavor: exact(flavor),
  });
}

function exact(pattern: string | undefined): string | undefined {
  return pattern?.includes('*') ? undefined : pattern;
}

function given(fields: Record<string, string | undefined>): [string, string][] {
  return Object.entries(fields).filter((field): field is [string, string] => field[1] !== undefined);
}

/** What an earlier rule does to a later one. An exception that comes before what it is an exception from is as it should be. */
function overlapOf(earlier: Rule, later: Rule): Overlap<unknown>['kind'] | undefined {
  const [a, b] = [earlier.rule.match, later.rule.match];
  const relations: Relation[] = [
    relationOfDevices(a?.devices, b?.devices),
    relationOfDomains(a?.domains, b?.domains),
    relationOfKnowledge(a?.risk?.knownBy, b?.risk?.knownBy),
    relationOfHosts(earlier.scope?.hosts, later.scope?.hosts),
    relationOfDomains(earlier.scope?.domains, later.scope?.domains),
  ];
  if (relations.includes('disjoint') || relations.includes('narrower')) return undefined;
  if (!relations.includes('crossing')) return 'hides';
  return doesOtherwise(earlier.rule, later.rule) ? 'contradicts' : undefined;
}

/** What is known by its ids is narrower than what is known by its class; a device may be both. */
function relationOfKnowledge(first: string | undefined, second: string | undefined): Relation {
  if (first === second) return 'same';
  if (first === undefined) return 'broader';
  return second === undefined || first === 'device' ? 'narrower' : 'crossing';
}

/** Whether a device would fare otherwise by the other rule in what matters: enforced or not, refused or not. */
function doesOtherwise(a: PolicyRule, b: PolicyRule): boolean {
  if (a.mode !== b.mode) return true;
  return a.mode === 'enforce' && (a.uncovered ?? 'warn') !== (b.uncovered ?? 'warn');
}
