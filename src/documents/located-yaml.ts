import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml';
import { LocatedError } from '../located-error.js';

/** Nesting that no document of ours comes near. */
const MAX_DEPTH = 16;

/** Names that would reach JavaScript's own machinery when a map becomes an object. */
const REFUSED_KEYS = new Set(['__proto__', 'constructor', 'prototype']);

export interface LocatedYaml {
  /** Maps, lists and strings; undefined where there are problems. */
  value: unknown;
  problems: LocatedError[];
  /** `FILE:LINE:COLUMN` of a field's value, or of its key; of what surrounds it where it is missing. */
  placeOf(path: readonly string[], part?: 'key' | 'value'): string;
}

/**
 * Reads one YAML document in which every scalar is a string (the failsafe schema), so that the id `19e5` is no number
 * and `no` is no boolean. Aliases, tags and doubled keys are refused.
 */
export function readLocatedYaml(file: string, text: string): LocatedYaml {
  const lines = new LineCounter();
  const at = (offset: number) => {
    const { line, col } = lines.linePos(offset);
    return `${file}:${Math.max(1, line)}:${Math.max(1, col)}`;
  };
  const refused = (problems: LocatedError[]): LocatedYaml => ({
    value: undefined,
    problems,
    placeOf: () => at(0),
  });

  let document;
  try {
    document = parseDocument(text, { schema: 'failsafe', lineCounter: lines, prettyErrors: false });
  } catch (error) {
    // Nesting by the thousand exhausts the parser's stack.
    if (!(error instanceof RangeError)) throw error;
    return refused([tooDeep(`${file}:1:1`)]);
  }
  const flaws = [...document.errors, ...document.warnings];
  if (flaws.length > 0) {
    return refused(
      flaws.map(
        ({ message, pos }) => new LocatedError(message.replace(/\.$/, ''), at(pos[0]), 'Mend the YAML.'),
      ),
    );
  }
  const problems: LocatedError[] = [];
  checkNode(document.contents, 0, (node, make) => problems.push(make(at(startOf(node) ?? 0))));
  if (problems.length > 0) return refused(problems);
  return {
    value: document.toJS(),
    problems,
    placeOf: (path, part = 'value') => at(offsetOf(document.contents, path, part)),
  };
}

type Report = (node: unknown, make: (place: string) => LocatedError) => void;

function checkNode(node: unknown, depth: number, report: Report): void {
  if (depth > MAX_DEPTH) return report(node, tooDeep);
  if (isAlias(node)) {
    const problem = 'aliases are not accepted';
    return report(node, (place) => new LocatedError(problem, place, 'Write the content itself.'));
  }
  if (isSeq(node)) {
    for (const item of node.items) checkNode(item, depth + 1, report);
  }
  if (!isMap(node)) return;
  for (const { key, value } of node.items) {
    if (!isScalar(key) || typeof key.value !== 'string' || REFUSED_KEYS.has(key.value)) {
      report(key, (place) => new LocatedError('this is no field name', place, 'Write a plain word.'));
    }
    checkNode(value, depth + 1, report);
  }
}

function tooDeep(place: string): LocatedError {
  return new LocatedError(`nested deeper than ${MAX_DEPTH} levels`, place, 'Nest less deeply.');
}

function startOf(node: unknown): number | undefined {
  return (node as Node | null)?.range?.[0];
}

function offsetOf(root: Node | null, path: readonly string[], part: 'key' | 'value'): number {
  let node: unknown = root;
  let offset = startOf(root) ?? 0;
  for (const [depth, segment] of path.entries()) {
    let next: unknown;
    if (isMap(node)) {
      const pair = node.items.find(({ key }) => isScalar(key) && key.value === segment);
      const wanted = part === 'key' && depth === path.length - 1 ? pair?.key : pair?.value;
      next = wanted ?? pair?.key;
    } else if (isSeq(node)) {
      next = node.items[Number(segment)];
    }
    // A single item may stand without its list: then the index leads nowhere.
    if (next === undefined || next === null) continue;
    node = next;
    offset = startOf(next) ?? offset;
  }
  return offset;
}
