import { keyOfDevice, keyOfDomain } from '../match-index.js';
import { globMatches } from '../policy-evaluation.js';
import type { DeviceSelector, DomainSelector, HostSelector, MetadataSelector } from '../selectors.js';

/**
 * How what one list of selectors matches stands to what another does. `crossing`: each may match what the other does not.
 * `narrower` is also what names fewer things by its kind: an address beside a class.
 */
export type Relation = 'disjoint' | 'same' | 'narrower' | 'broader' | 'crossing';

/** What can be told of selectors of a kind. */
interface SelectorKind<S> {
  /** Whether all that `b` matches is matched by `a`; false where nobody can tell. */
  covers(a: S, b: S): boolean;
  /** Whether something may be matched by both. */
  meets(a: S, b: S): boolean;
  /** How many things it is meant for: the less, the fewer. */
  breadth(selector: S): number;
}

type List<S> = readonly S[] | undefined;

export function relationOfDevices(first: List<DeviceSelector>, second: List<DeviceSelector>): Relation {
  return relationOf(DEVICES, first, second);
}

export function relationOfDomains(first: List<DomainSelector>, second: List<DomainSelector>): Relation {
  return relationOf(DOMAINS, first, second);
}

export function relationOfHosts(first: List<HostSelector>, second: List<HostSelector>): Relation {
  return relationOf(HOSTS, first, second);
}

/** One selector of a list must match; a list that is absent matches everything. */
function relationOf<S>(kind: SelectorKind<S>, first: List<S>, second: List<S>): Relation {
  if (!first || !second) return first ? 'narrower' : second ? 'broader' : 'same';
  if (!first.some((a) => second.some((b) => kind.meets(a, b)))) return 'disjoint';
  const covers = second.every((b) => first.some((a) => kind.covers(a, b)));
  const covered = first.every((a) => second.some((b) => kind.covers(b, a)));
  if (covers) return covered ? 'same' : 'broader';
  const breadth = (list: readonly S[]) => Math.max(...list.map((selector) => kind.breadth(selector)));
  return covered || breadth(first) < breadth(second) ? 'narrower' : 'crossing';
}

const DEVICES: SelectorKind<DeviceSelector> = {
  covers: ({ class: code, ...a }, { class: otherCode, ...b }) =>
    coversFields(a, b) && (code === undefined || otherCode?.startsWith(code) === true),
  meets: ({ class: code = '', ...a }, { class: otherCode = '', ...b }) =>
    meetsFields(a, b) && (code.startsWith(otherCode) || otherCode.startsWith(code)),
  breadth: (selector) => keyOfDevice(selector).breadth,
};

const PATTERNS = ['name', 'project', 'flavor', 'machine'] as const;

const DOMAINS: SelectorKind<DomainSelector> = {
  covers: (a, b) =>
    PATTERNS.every((field) => coversPattern(a[field], b[field])) &&
    (a.uuid === undefined || a.uuid.toLowerCase() === b.uuid?.toLowerCase()) &&
    (a.metadata === undefined || (b.metadata !== undefined && coversMetadata(a.metadata, b.metadata))),
  meets: (a, b) =>
    PATTERNS.every((field) => meetsPattern(a[field], b[field])) &&
    (a.uuid ?? b.uuid)?.toLowerCase() === (b.uuid ?? a.uuid)?.toLowerCase() &&
    (!a.metadata || !b.metadata || meetsMetadata(a.metadata, b.metadata)) &&
    // One by its name and one by its UUID are hardly the same.
    (!namesOne(a) || !namesOne(b) || (a.uuid !== undefined) === (b.uuid !== undefined)),
  breadth: (selector) => keyOfDomain(selector).breadth,
};

function namesOne({ uuid, name }: DomainSelector): boolean {
  return uuid !== undefined || (name !== undefined && !name.includes('*'));
}

const HOSTS: SelectorKind<HostSelector> = {
  covers: (a, b) =>
    coversPattern(a.name, b.name) && (a.labels ?? []).every((label) => b.labels?.includes(label)),
  meets: (a, b) =>
    meetsPattern(a.name, b.name) &&
    // A host has one value of each label.
    (a.labels ?? []).every((label) => {
      const key = label.slice(0, label.indexOf('=') + 1);
      return (b.labels ?? []).every((other) => other === label || !other.startsWith(key));
    }),
  breadth: ({ name }) => (name === undefined ? 2 : name.includes('*') ? 1 : 0),
};

function coversFields(a: object, b: object): boolean {
  const others = new Map(Object.entries(b));
  return Object.entries(a).every(([field, value]) => value === undefined || others.get(field) === value);
}

function meetsFields(a: object, b: object): boolean {
  const others = new Map(Object.entries(b));
  return Object.entries(a).every(
    ([field, value]) => value === undefined || (others.get(field) ?? value) === value,
  );
}

function coversPattern(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || a === b) return true;
  if (b === undefined) return false;
  if (!b.includes('*')) return globMatches(a, b);
  // Whatever stands behind it, `ab*` is within `a*`.
  return a.indexOf('*') === a.length - 1 && beginning(b).startsWith(beginning(a));
}

function meetsPattern(a: string | undefined, b: string | undefined): boolean {
  if (a === undefined || b === undefined) return true;
  if (!b.includes('*')) return globMatches(a, b);
  if (!a.includes('*')) return globMatches(b, a);
  return beginning(a).startsWith(beginning(b)) || beginning(b).startsWith(beginning(a));
}

function beginning(pattern: string): string {
  return pattern.slice(0, pattern.indexOf('*'));
}

function isSamePlace(a: MetadataSelector, b: MetadataSelector): boolean {
  return a.namespace === b.namespace && a.element === b.element && a.attribute === b.attribute;
}

function coversMetadata(a: MetadataSelector, b: MetadataSelector): boolean {
  return isSamePlace(a, b) && coversPattern(a.value, b.value);
}

function meetsMetadata(a: MetadataSelector, b: MetadataSelector): boolean {
  return !isSamePlace(a, b) || meetsPattern(a.value, b.value);
}
