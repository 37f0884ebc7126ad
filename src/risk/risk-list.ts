import { plainToInstance } from 'class-transformer';
import { validateSync, type ValidationError } from 'class-validator';
import { LocatedError } from '../located-error.js';
import { violatedRules } from './entry-rules.js';
import { readLocatedYaml, type LocatedYaml } from '../documents/located-yaml.js';
import { RiskList, type RiskEntry } from './risk-entry.js';

export interface RiskFile {
  /** As messages name it. */
  file: string;
  text: string;
}

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
export function readRiskList({ file, text }: RiskFile): ReadRiskList {
  const yaml = readLocatedYaml(file, text);
  if (yaml.problems.length > 0) return { entries: [], problems: yaml.problems };
  if (yaml.value === null || typeof yaml.value !== 'object' || Array.isArray(yaml.value)) {
    const remedy = 'Write apiVersion, kind and entries.';
    return {
      entries: [],
      problems: [new LocatedError('this is no list of risks', yaml.placeOf([]), remedy)],
    };
  }

  const list = plainToInstance(RiskList, yaml.value);
  const errors = validateSync(list, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
    stopAtFirstError: true,
  });
  const problems = errors.flatMap((error) => fieldProblems(error, [], yaml));
  if (problems.length > 0) return { entries: [], problems };

  const entries = list.entries.map((entry, index) => ({
    entry,
    place: yaml.placeOf(['entries', String(index)]),
  }));
  for (const [index, { entry }] of entries.entries()) {
    for (const { path, problem, remedy } of violatedRules(entry)) {
      const full = ['entries', String(index), ...path];
      problems.push(new LocatedError(`${written(full)}: ${problem}`, yaml.placeOf(full), remedy));
    }
  }
  return problems.length > 0 ? { entries: [], problems } : { entries, problems };
}

function fieldProblems(
  error: ValidationError,
  parents: readonly string[],
  yaml: LocatedYaml,
): LocatedError[] {
  const path = [...parents, error.property];
  const below = (error.children ?? []).flatMap((child) => fieldProblems(child, path, yaml));
  const [constraint] = Object.keys(error.constraints ?? {});
  if (constraint === undefined) return below;
  if (constraint === 'whitelistValidation') {
    return [
      new LocatedError(
        `${written(path)} is no field known here`,
        yaml.placeOf(path, 'key'),
        'Correct its spelling, or remove it.',
      ),
    ];
  }
  const problem =
    error.value === undefined ? 'is missing' : `has a value that is not accepted${shown(error.value)}`;
  const { remedy = 'Correct it.' } = (error.contexts?.[constraint] ?? {}) as { remedy?: string };
  return [new LocatedError(`${written(path)} ${problem}`, yaml.placeOf(path), remedy), ...below];
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : Array.isArray(value) ? value.join(', ') : '';
  return text === '' ? '' : `: ${text.length > 60 ? `${text.slice(0, 60)}...` : text}`;
}

/** `entries[3].match[0].device` */
function written(path: readonly string[]): string {
  return path.reduce(
    (text, part) => (/^\d+$/.test(part) ? `${text}[${part}]` : text ? `${text}.${part}` : part),
    '',
  );
}
