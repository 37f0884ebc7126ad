import { LocatedError } from '../located-error.js';
import { violatedRules } from './entry-rules.js';
import { formatFieldPath, readDocument, type DocumentFile } from '../documents/validated-document.js';
import { RiskList, type RiskEntry } from './risk-entry.js';

/** An entry and where it stands, `FILE:LINE:COLUMN`. */
export interface PlacedEntry {
  entry: RiskEntry;
  place: string;
}

export interface ReadRiskList {
  /** Empty where there are problems. */
  entries: PlacedEntry[];
  problems: LocatedError[];
}

/** Reads one file of the risk database, and finds all that is wrong with it. */
export function readRiskList(document: DocumentFile): ReadRiskList {
  const { value: list, problems, placeOf } = readDocument(document, RiskList);
  if (!list) return { entries: [], problems };

  const entries = list.entries.map((entry, index) => ({
    entry,
    place: placeOf(['entries', String(index)]),
  }));
  for (const [index, { entry }] of entries.entries()) {
    for (const { path, problem, remedy } of violatedRules(entry)) {
      const full = ['entries', String(index), ...path];
      problems.push(new LocatedError(`${formatFieldPath(full)}: ${problem}`, placeOf(full), remedy));
    }
  }
  return problems.length > 0 ? { entries: [], problems } : { entries, problems };
}
