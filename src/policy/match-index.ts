import type { PciFunction } from '../pci/pci-function.js';
import type { RuleMatch } from './policy-document.js';
import type { DomainFacts, RuleSubject } from './rule-subject.js';
import type { DeviceSelector, DomainSelector } from './selectors.js';

/** Characters of a pattern before its first `*` that are looked up. */
const MAX_PREFIX = 32;

/**
 * Finds what may match a device of a domain without looking at what cannot. Each item is kept under keys of its selectors:
 * of their domains where those name single ones, else of their devices; what can be kept under no key is always looked at.
 * A lookup takes some fifty hash accesses and then as long as there are items under those keys.
 */
export class MatchIndex {
  private readonly byKey = new Map<string, number[]>();
  private hasPrefixes = false;
  private count = 0;

  /** Adds the next item; items are numbered in the order in which they are added. */
  add(match: RuleMatch | undefined): void {
    const position = this.count++;
    for (const key of new Set(keysOf(match))) {
      if (key.startsWith('name^')) this.hasPrefixes = true;
      const positions = this.byKey.get(key);
      if (positions) positions.push(position);
      else this.byKey.set(key, [position]);
    }
  }

  /** Positions of what may match, ascending, each once. */
  *candidates(subject: RuleSubject): Generator<number> {
    const lists: { positions: readonly number[]; next: number }[] = [];
    for (const key of this.lookupKeys(subject)) {
      const positions = this.byKey.get(key);
      if (positions) lists.push({ positions, next: 0 });
    }
    for (;;) {
      let least = Infinity;
      for (const { positions, next } of lists) least = Math.min(least, positions[next] ?? Infinity);
      if (least === Infinity) return;
      for (const list of lists) if (list.positions[list.next] === least) list.next += 1;
      yield least;
    }
  }

  private *lookupKeys({ domain, source, function: fn }: RuleSubject): Generator<string> {
    yield ANY;
    if (source !== undefined) yield `bdf ${source}`;
    if (fn) yield* functionKeys(fn);
    yield* domainKeys(domain);
    if (!this.hasPrefixes) return;
    for (let length = 1; length <= Math.min(MAX_PREFIX, domain.name.length); length += 1) {
      yield `name^${domain.name.slice(0, length)}`;
    }
  }
}

const ANY = 'any';

function* functionKeys({ vendor, device, class: code, kind }: PciFunction): Generator<string> {
  yield `ids ${vendor}:${device}`;
  yield `vendor ${vendor}`;
  yield `device ${device}`;
  for (let length = 2; length <= code.length; length += 2) yield `class ${code.slice(0, length)}`;
  yield `kind ${kind}`;
}

function* domainKeys({ name, uuid, projects = [], flavor }: DomainFacts): Generator<string> {
  yield `name ${name}`;
  if (uuid !== undefined) yield `uuid ${uuid.toLowerCase()}`;
  for (const project of projects) yield `project ${project}`;
  if (flavor !== undefined) yield `flavor ${flavor}`;
}

/** How many domains or devices a key stands for: the less, the better. */
const BREADTH = { one: 0, few: 1, many: 2, any: 3 } as const;

interface Key {
  key: string;
  breadth: number;
}

/** The keys of the narrower side; an item is found under any of them that a subject has. */
function keysOf(match: RuleMatch | undefined): string[] {
  const sides = [(match?.domains ?? []).map(keyOfDomain), (match?.devices ?? []).map(keyOfDevice)];
  const given = sides.filter((side) => side.length > 0);
  const breadth = (side: readonly Key[]) => Math.max(...side.map((key) => key.breadth));
  const narrowest = given.toSorted((a, b) => breadth(a) - breadth(b))[0];
  return narrowest?.map(({ key }) => key) ?? [ANY];
}

export function keyOfDevice({ bdf, vendor, device, class: code, function: kind }: DeviceSelector): Key {
  if (bdf !== undefined) return { key: `bdf ${bdf}`, breadth: BREADTH.one };
  if (vendor !== undefined && device !== undefined) {
    return { key: `ids ${vendor}:${device}`, breadth: BREADTH.few };
  }
  if (device !== undefined) return { key: `device ${device}`, breadth: BREADTH.few };
  if (vendor !== undefined) return { key: `vendor ${vendor}`, breadth: BREADTH.many };
  if (code !== undefined) return { key: `class ${code}`, breadth: BREADTH.many };
  if (kind !== undefined) return { key: `kind ${kind}`, breadth: BREADTH.many };
  return { key: ANY, breadth: BREADTH.any };
}

export function keyOfDomain({ uuid, name, project, flavor }: DomainSelector): Key {
  if (uuid !== undefined) return { key: `uuid ${uuid.toLowerCase()}`, breadth: BREADTH.one };
  if (name !== undefined && !name.includes('*')) return { key: `name ${name}`, breadth: BREADTH.one };
  if (project !== undefined && !project.includes('*')) {
    return { key: `project ${project}`, breadth: BREADTH.few };
  }
  if (flavor !== undefined && !flavor.includes('*'))
    return { key: `flavor ${flavor}`, breadth: BREADTH.many };
  const prefix = name?.split('*')[0]!.slice(0, MAX_PREFIX);
  if (prefix) return { key: `name^${prefix}`, breadth: BREADTH.few };
  return { key: ANY, breadth: BREADTH.any };
}
