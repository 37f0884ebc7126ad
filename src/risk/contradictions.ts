import { canonicalJson } from '../canonical-json.js';
import { LocatedError } from '../located-error.js';
import { deviceIdsOf, type DeviceMatch } from './device-match.js';
import type { RiskEntry } from './risk-entry.js';
import type { PlacedEntry } from './risk-list.js';
import { subjectKey, subjectsOf } from './statement.js';

/**
 * Finds what cannot be true together: an id used twice, and two entries that speak of the same subject for exactly the
 * same match. Entries of which one is more specific are no contradiction; the specific one holds.
 */
export function findContradictions(entries: readonly PlacedEntry[]): LocatedError[] {
  const problems: LocatedError[] = [];
  const ids = new Map<string, PlacedEntry>();
  const statements = new Map<string, PlacedEntry>();
  for (const placed of entries) {
    const { entry, place } = placed;
    const namesake = ids.get(entry.id);
    if (namesake) {
      problems.push(
        new LocatedError(
          `the id ${entry.id} is used at ${namesake.place} too`,
          place,
          'Give each entry its own id.',
        ),
      );
      continue;
    }
    ids.set(entry.id, placed);

    const rivals = new Map<PlacedEntry, string>();
    for (const match of entry.match) {
      for (const key of matchKeys(match)) {
        for (const subject of statementKeys(entry)) {
          const statement = `${key} ${subject}`;
          const rival = statements.get(statement);
          if (!rival) statements.set(statement, placed);
          else if (!rivals.has(rival)) rivals.set(rival, `${key}, ${subject}`);
        }
      }
    }
    for (const [rival, where] of rivals) problems.push(conflict(placed, rival, where));
  }
  return problems;
}

function conflict({ entry, place }: PlacedEntry, rival: PlacedEntry, where: string): LocatedError {
  if (rival.entry === entry) {
    return new LocatedError(
      `${entry.id} matches the same twice (${where})`,
      place,
      'Remove one of the matches.',
    );
  }
  const other = `${rival.entry.id} at ${rival.place}`;
  return canonicalJson(gist(entry)) === canonicalJson(gist(rival.entry))
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

/** What two entries must agree in to say the same. */
function gist({ severity, confidence, needs, mirrors, handledByLinux }: RiskEntry) {
  return { severity, confidence, needs, mirrors, handledByLinux };
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
