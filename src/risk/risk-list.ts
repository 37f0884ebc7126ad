import { LocatedError } from '../located-error.js';
import type { LocatedYaml } from '../documents/located-yaml.js';
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
  return placeEntries(list.entries, ['entries'], placeOf);
}

/**
 * Checks what the fields of each entry must be to each other, and notes where it stands.
 *
 * @param list path of the list in its document; undefined where the entry is the document's `spec`
 */
export function placeEntries(
  all: readonly RiskEntry[],
  list: readonly string[] | undefined,
  placeOf: LocatedYaml['placeOf'],
): ReadRiskList {
  const problems: LocatedError[] = [];
  const pathOf = (index: number) => (list ? [...list, String(index)] : ['spec']);
  const entries = all.map((entry, index) => ({ entry, place: placeOf(pathOf(index)) }));
  for (const [index, { entry }] of entries.entries()) {
    for (const { path, problem, remedy } of violatedRules(entry)) {
      const full = [...pathOf(index), ...path];
      problems.push(new LocatedError(`${formatFieldPath(full)}: ${problem}`, placeOf(full), remedy));
    }
  }
  return problems.length > 0 ? { entries: [], problems } : { entries, problems };
}
