import { sha256 } from '../canonical-json.js';
import { readDocument, type DocumentFile } from '../documents/validated-document.js';
import { readYamlDirectory } from '../documents/yaml-directory.js';
import { LocatedError, LocatedErrors } from '../located-error.js';
import { PolicyDocument } from './policy-document.js';
import type { PlacedRule, PolicySet } from './policy-evaluation.js';

/**
 * Reads all policy documents of a directory, in the order of their file names.
 *
 * @throws LocatedError or LocatedErrors, each naming file, line and column
 */
export async function readPolicyDirectory(directory: string): Promise<PolicySet> {
  return loadPolicies(await readYamlDirectory(directory));
}

/**
 * Makes one set of rules of policy documents. A rule is named by policy and rule name, so both must be unique.
 *
 * @throws LocatedErrors, all that were found
 */
export function loadPolicies(files: readonly DocumentFile[]): PolicySet {
  const problems: LocatedError[] = [];
  const rules: PlacedRule[] = [];
  const policies = new Map<string, string>();
  for (const document of files) {
    const { value, problems: found, placeOf } = readDocument(document, PolicyDocument);
    problems.push(...found);
    if (!value) continue;
    const policy = value.metadata.name;
    const place = placeOf(['metadata', 'name']);
    problems.push(...unique(policies, policy, place, 'policy'));
    const names = new Map<string, string>();
    for (const [index, rule] of value.spec.rules.entries()) {
      problems.push(...unique(names, rule.name, placeOf(['spec', 'rules', String(index), 'name']), 'rule'));
      rules.push({ policy, file: document.file, rule });
    }
  }
  if (problems.length > 0) throw new LocatedErrors(problems);
  return { revision: sha256(rules.map(({ policy, rule }) => ({ policy, rule }))), rules };
}

/** Notes the place of a name; a problem where it has one already. */
function unique(places: Map<string, string>, name: string, place: string, what: string): LocatedError[] {
  const earlier = places.get(name);
  if (earlier === undefined) {
    places.set(name, place);
    return [];
  }
  return [
    new LocatedError(
      `the ${what} name ${name} is also at ${earlier}`,
      place,
      `Give each ${what} a name of its own.`,
    ),
  ];
}
