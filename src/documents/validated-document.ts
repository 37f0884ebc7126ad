import { plainToInstance, type ClassConstructor } from 'class-transformer';
import { getMetadataStorage, validateSync, type ValidationError } from 'class-validator';
import { LocatedError } from '../located-error.js';
import { MAX_PROBLEMS, readLocatedYaml, withoutControls, type LocatedYaml } from './located-yaml.js';

/** A file as it came from outside. */
export interface DocumentFile {
  /** As messages name it. */
  file: string;
  text: string;
}

export interface ReadDocument<T> {
  /** Undefined where there are problems. */
  value: T | undefined;
  problems: LocatedError[];
  /** `FILE:LINE:COLUMN` of a field's value, or of its key; of what surrounds it where it is missing. */
  placeOf: LocatedYaml['placeOf'];
}

/**
 * Reads a YAML document into an instance of `type`, whose decorators say what it may hold, and finds all that is wrong
 * with it. A constraint may carry its remedy as `context: { remedy }`.
 */
export function readDocument<T extends object>(
  { file, text }: DocumentFile,
  type: ClassConstructor<T>,
): ReadDocument<T> {
  const yaml = readLocatedYaml(file, text);
  const problems = shapeProblems(yaml);
  if (problems.length > 0) return { value: undefined, problems, placeOf: yaml.placeOf };
  return validateYaml(yaml, type);
}

/** One of the documents that a file may hold, by its `kind`. */
export type DocumentOfKind<Types extends Record<string, object>> = {
  [Kind in keyof Types]: ReadDocument<Types[Kind]> & { kind: Kind };
}[keyof Types];

/** Reads a YAML document as `readDocument` does, into an instance of the class that its field `kind` names. */
export function readDocumentOfKind<Types extends Record<string, object>>(
  { file, text }: DocumentFile,
  types: { [Kind in keyof Types]: ClassConstructor<Types[Kind]> },
): DocumentOfKind<Types> | { kind: undefined; problems: LocatedError[] } {
  const yaml = readLocatedYaml(file, text);
  const problems = shapeProblems(yaml);
  if (problems.length > 0) return { kind: undefined, problems };
  const { kind } = yaml.value as { kind?: unknown };
  if (typeof kind !== 'string' || !Object.hasOwn(types, kind)) {
    const problem =
      kind === undefined ? 'kind is missing' : `kind has a value that is not accepted${shown(kind)}`;
    const remedy = `Write one of ${Object.keys(types).join(', ')}.`;
    return { kind: undefined, problems: [new LocatedError(problem, yaml.placeOf(['kind']), remedy)] };
  }
  return { kind, ...validateYaml(yaml, types[kind]!) } as unknown as DocumentOfKind<Types>;
}

function shapeProblems({ value, problems, placeOf }: LocatedYaml): LocatedError[] {
  if (problems.length > 0) return problems;
  if (isObject(value) && !Array.isArray(value)) return [];
  return [new LocatedError('this is not a document', placeOf([]), 'Begin it with apiVersion and kind.')];
}

function validateYaml<T extends object>(yaml: LocatedYaml, type: ClassConstructor<T>): ReadDocument<T> {
  const { placeOf } = yaml;
  const value = plainToInstance(type, yaml.value as object);
  const errors = validateSync(value, {
    whitelist: true,
    forbidNonWhitelisted: true,
    forbidUnknownValues: true,
  });
  const problems = [
    ...misplacedLists(value, []).map((path) => {
      const problem = `${formatFieldPath(path)} is a list`;
      return new LocatedError(problem, placeOf(path), 'Write its fields without a list around them.');
    }),
    ...errors.flatMap((error) => fieldProblems(error, [], yaml)),
  ].slice(0, MAX_PROBLEMS);
  return { value: problems.length > 0 ? undefined : value, problems, placeOf };
}

/** Lists where one object belongs: `ValidateNested` without `each` takes a list, too, and validates its items. */
function misplacedLists(value: object, path: readonly string[]): string[][] {
  if (Array.isArray(value)) {
    return value.flatMap((item: unknown, index) =>
      isObject(item) ? misplacedLists(item, [...path, String(index)]) : [],
    );
  }
  const single = new Set(
    getMetadataStorage()
      .getTargetValidationMetadatas(value.constructor, '', true, false)
      .filter(({ type, each }) => type === 'nestedValidation' && !each)
      .map(({ propertyName }) => propertyName),
  );
  return Object.entries(value).flatMap(([name, field]: [string, unknown]) => {
    const below = [...path, name];
    if (Array.isArray(field) && single.has(name)) return [below];
    return isObject(field) ? misplacedLists(field, below) : [];
  });
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null;
}

/** `entries[3].match[0].device` */
export function formatFieldPath(path: readonly string[]): string {
  return path.reduce(
    (text, part) => (/^\d+$/.test(part) ? `${text}[${part}]` : text ? `${text}.${part}` : part),
    '',
  );
}

function fieldProblems(
  error: ValidationError,
  parents: readonly string[],
  yaml: LocatedYaml,
): LocatedError[] {
  const path = [...parents, error.property];
  const field = formatFieldPath(path);
  const below = (error.children ?? []).flatMap((child) => fieldProblems(child, path, yaml));
  const constraints = Object.entries(error.constraints ?? {});
  // The shape comes first: what a list may hold is no help to someone who wrote none.
  const violated = constraints.find(([name]) => name === 'isArray') ?? constraints[0];
  if (!violated) return below;
  const [constraint, message] = violated;
  if (constraint === 'whitelistValidation') {
    const place = yaml.placeOf(path, 'key');
    return [
      new LocatedError(`${field} is no field known here`, place, 'Correct its spelling, or remove it.'),
    ];
  }
  const { remedy } = (error.contexts?.[constraint] ?? {}) as { remedy?: string };
  const problem =
    error.value === undefined ? 'is missing' : `has a value that is not accepted${shown(error.value)}`;
  return [
    new LocatedError(`${field} ${problem}`, yaml.placeOf(path), remedy ?? `${sentence(message)}.`),
    ...below,
  ];
}

function shown(value: unknown): string {
  const text = typeof value === 'string' ? value : Array.isArray(value) ? value.slice(0, 20).join(', ') : '';
  const short = withoutControls(text.length > 60 ? `${text.slice(0, 60)}...` : text);
  return short === '' ? '' : `: ${short}`;
}

function sentence(message: string): string {
  return message.charAt(0).toUpperCase() + message.slice(1);
}
