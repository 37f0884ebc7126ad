import type { DocumentFile } from '../documents/validated-document.js';
import { readYamlDirectory } from '../documents/yaml-directory.js';
import { LocatedErrors } from '../located-error.js';
import { findContradictions } from './contradictions.js';
import { RiskDatabase } from './risk-database.js';
import { readRiskList } from './risk-list.js';

/**
 * Builds the database from its files: either all of it or nothing.
 *
 * @throws LocatedErrors, all that were found, each with file, line and column
 */
export function loadRisks(files: readonly DocumentFile[]): RiskDatabase {
  const lists = files.map(readRiskList);
  const entries = lists.flatMap((list) => list.entries);
  const problems = [...lists.flatMap((list) => list.problems), ...findContradictions(entries)];
  if (problems.length > 0) throw new LocatedErrors(problems);
  return RiskDatabase.of(entries.map(({ entry }) => entry));
}

/**
 * Reads the risk entries of a directory.
 *
 * @throws LocatedError where the directory cannot be read; LocatedErrors as `loadRisks`
 */
export async function readRiskDirectory(directory: string): Promise<RiskDatabase> {
  return loadRisks(await readYamlDirectory(directory));
}
