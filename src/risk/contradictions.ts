import { hash } from 'node:crypto';
import { canonicalJson } from '../canonical-json.js';
import { LocatedError } from '../located-error.js';
import { deviceIdsOf, type DeviceMatch } from './device-match.js';
import { detached } from '../detached.js';
import type { RiskEntry } from './risk-entry.js';
import type { PlacedEntry } from './risk-list.js';
import { subjectKey, subjectsOf } from './statement.js';

/**
 * Finds what cannot be true together: an id used twice, and two entries that speak of the same subject for exactly the
 * same match. Entries of which one is more specific are no contradiction; the specific one holds.
 */
export function findContradictions(entries: readonly PlacedEntry[]): LocatedError[] {
  const finder = new ContradictionFinder();
  return entries.flatMap((placed) => finder.add(placed));
}

/** What is remembered of an entry. */
interface Noted {
  id: string;
  place: string;
  /** Hash over what two entries must agree in to say the same. */
  gist: string;
}

/** Takes entries one after the other, and keeps of each only what it needs to tell what contradicts it. */
export class ContradictionFinder {
  private readonly ids = new Map<string, Noted>();
  /** By the hash of what is stated of which devices. */
  private readonly statements = new Map<string, Noted>();

  /** What is wrong with the entry beside those before it. */
  add({ entry, place }: PlacedEntry): LocatedError[] {
    const namesake = this.ids.get(entry.id);
    if (namesake !== undefined) {
      const problem = `the id ${entry.id} is used at ${namesake.place} too`;
      return [new LocatedError(problem, place, 'Give each entry its own id.')];
    }
    const noted: Noted = { id: detached(entry.id), place: detached(place), gist: gistOf(entry) };
    this.ids.set(noted.id, noted);
    const rivals = new Map<Noted, string>();
    for (const match of entry.match) {
      for (const key of matchKeys(match)) {
        for (const subject of statementKeys(entry)) {
          const statement = digestOf(`${key} ${subject}`);
          const rival = this.statements.get(statement);
          if (!rival) this.statements.set(statement, noted);
          else if (!rivals.has(rival)) rivals.set(rival, `${key}, ${subject}`);
        }
      }
    }
    return [...rivals].map(([rival, where]) => conflict(noted, rival, where));
  }
}

function conflict(entry: Noted, rival: Noted, where: string): LocatedError {
  const { place } = entry;
  if (rival === entry) {
    return new LocatedError(
      `${entry.id} matches the same twice (${where})`,
      place,
      'Remove one of the matches.',
    );
  }
  const other = `${rival.id} at ${rival.place}`;
  return entry.gist === rival.gist
    ? new LocatedError(
        `${entry.id} repeats ${other} (${where})`,
        place,
        'Remove one, and merge their evidence.',
      )
    : new LocatedError(
        `${entry.id} contradicts ${other} (${where})`,
        place,
        'Keep one of them, merge them, or make one match more specific.',
      );
}

function gistOf({ severity, confidence, needs, mirrors, handledByLinux }: RiskEntry): string {
  return digestOf(canonicalJson({ severity, confidence, needs, mirrors, handledByLinux }));
}

/** SHA-256, a byte a character: of a hundred thousand texts only that is kept. */
function digestOf(text: string): string {
  return hash('sha256', text, 'binary');
}

/** Entries without an exposure are facts beside each other: only the same fact twice is too much. */
function statementKeys(entry: RiskEntry): string[] {
  const subjects = subjectsOf(entry).map(subjectKey);
  return subjects.length > 0 ? subjects : [`${entry.effect}, "${entry.summary}"`];
}

/** One key for each device that the rule names; rules with an equal key match the same functions. */
function matchKeys(match: DeviceMatch): string[] {
  const narrowing = [
    match.subsystemVendor && `subsystem ${match.subsystemVendor}:${match.subsystemDevice ?? '*'}`,
    match.class && `class ${match.class}`,
    match.function,
    match.revision && `revision ${match.revision}`,
  ];
  return (deviceIdsOf(match) ?? ['*']).map((device) =>
    [`${match.vendor ?? '*'}:${device}`, ...narrowing.filter(Boolean)].join(' '),
  );
}
