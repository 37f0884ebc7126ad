import { isAlias, isMap, isScalar, isSeq, LineCounter, parseDocument, type Node } from 'yaml';
import { LocatedError } from '../located-error.js';

/** Nesting that no document of ours comes near. */
const MAX_DEPTH = 16;

/** Problems that are told of one document. */
export const MAX_PROBLEMS = 100;

/** Fields of one mapping, and items of one list: above what any document of ours may hold. */
const MAX_FIELDS = 64;
const MAX_ITEMS = 5000;

/** What all fields of ours are called; keeps control characters out of messages. */
const FIELD_NAME = /^[A-Za-z][A-Za-z0-9]{0,63}$/;

export interface LocatedYaml {
  /** Maps, lists and strings; undefined where there are problems. */
  value: unknown;
  problems: LocatedError[];
  /** `FILE:LINE:COLUMN` of a field's value, or of its key; of what surrounds it where it is missing. */
  placeOf(path: readonly string[], part?: 'key' | 'value'): string;
}

/**
 * Reads one YAML document in which every scalar is a string (the failsafe schema), so that the id `19e5` is no number
 * and `no` is no boolean. Aliases, tags, doubled keys and lists within lists are refused.
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
    // The parser's own search for doubled keys compares each key with each other: minutes for a document of 1 MiB.
    const options = { schema: 'failsafe', uniqueKeys: false, prettyErrors: false } as const;
    document = parseDocument(text, { ...options, lineCounter: lines });
  } catch (error) {
    // Nesting by the thousand exhausts the parser's stack.
    if (!(error instanceof RangeError)) throw error;
    return refused([tooDeep(`${file}:1:1`)]);
  }
  const flaws = [...document.errors, ...document.warnings];
  const exhausted = flaws.find(({ code }) => code === 'RESOURCE_EXHAUSTION');
  if (exhausted) return refused([tooDeep(at(exhausted.pos[0]))]);
  if (flaws.length > 0) {
    return refused(
      flaws.slice(0, MAX_PROBLEMS).map(({ message, pos }) => {
        const problem = withoutControls(message).replace(/\.$/, '');
        return new LocatedError(problem, at(pos[0]), 'Mend the YAML.');
      }),
    );
  }
  const problems: LocatedError[] = [];
  checkNode(document.contents, 0, (node, make) => {
    if (problems.length < MAX_PROBLEMS) problems.push(make(at(startOf(node) ?? 0)));
  });
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
  const [most, what] = isMap(node) ? [MAX_FIELDS, 'fields'] : [MAX_ITEMS, 'items'];
  // What follows, and validation, may take time that grows faster than these numbers.
  if ((isMap(node) || isSeq(node)) && node.items.length > most) {
    return report(
      node,
      (place) => new LocatedError(`more than ${most} ${what}`, place, 'Split the document.'),
    );
  }
  if (isSeq(node)) {
    for (const item of node.items) {
      // Validation looks into such a list as if its items were fields, and finds nothing wrong.
      if (isSeq(item)) {
        report(item, (place) => new LocatedError('a list within a list', place, 'Write one list.'));
      } else checkNode(item, depth + 1, report);
    }
  }
  if (!isMap(node)) return;
  const names = new Set<string>();
  for (const { key, value } of node.items) {
    const name = isScalar(key) && typeof key.value === 'string' ? key.value : '';
    // What every object has (`constructor`, `toString`) would pass for a field that is known.
    if (!FIELD_NAME.test(name) || name in {}) {
      report(key, (place) => new LocatedError('this is no field name', place, 'Write a plain word.'));
    } else if (names.has(name)) {
      report(key, (place) => new LocatedError(`${name} is here twice`, place, 'Write each field once.'));
    }
    names.add(name);
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

/** For text from outside that ends up in terminals and logs. */
export function withoutControls(text: string): string {
  return text.replace(/\p{Cc}+/gu, ' ');
}
