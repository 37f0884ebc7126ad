import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { compileDirectory } from '../../src/policy/bundle/compile-bundle.js';
import { matches } from '../../src/policy/policy-evaluation.js';
import { policyInForce } from '../../src/policy/policy-in-force.js';
import type { PlacedRule, PolicySet } from '../../src/policy/policy-set.js';
import type { RuleSubject } from '../../src/policy/rule-subject.js';
import { parseBdf } from '../../src/pci/bdf.js';
import { figures, interleave, print } from './figures.js';
import { writeFleetBundle } from './fleet-bundle.js';

const RULES = [1, 100, 10_000];
/** Lookups in one sample: one takes microseconds. */
const LOOKUPS = 20;
const ROUNDS = { rounds: 100, warmUp: 20 };
const NODE = { name: 'node-1', labels: [] };
const AT = '2026-11-26T12:00:00Z';

const bdf = parseBdf('0000:81:00.0')!;
const SUBJECT: RuleSubject = {
  domain: { name: 'guest', projects: ['blue'], flavor: 'large', machine: 'pc-q35-7.2' },
  source: bdf,
  function: {
    bdf,
    vendor: '144d',
    device: 'a80a',
    revision: '00',
    class: '010802',
    kind: 'pf',
    resetMethods: [],
  },
  knownBy: new Set(['class']),
};

/** Finding the rule that decides behind ever more that cannot match: by the index, and by looking at one after the other. */
export async function benchRules(): Promise<void> {
  const sets = await Promise.all(RULES.map(compiled));
  const candidates = Object.fromEntries(
    sets.flatMap((set, at) => [
      [`find-rule.rules-${RULES[at]}`, timed(() => policyInForce(set, NODE, AT).findRule(SUBJECT))],
      [`scan.rules-${RULES[at]}`, timed(() => set.rules.find(({ rule }) => matches(rule.match, SUBJECT)))],
    ]),
  );
  const samples = await interleave(candidates, ROUNDS);
  const median = (name: string) => figures(samples[name]!).median / LOOKUPS;
  for (const name of Object.keys(candidates)) print(name, median(name), 'ms');
  for (const rules of RULES) {
    const name = `find-rule.rules-${rules}`;
    print(name, median(name) / median(`find-rule.rules-${RULES[0]}`), 'ratio', `find-rule.rules-${RULES[0]}`);
    print(name, median(name) / median(`scan.rules-${rules}`), 'ratio', `scan.rules-${rules}`);
  }
}

async function compiled(rules: number): Promise<PolicySet> {
  const directory = mkdtempSync(join(tmpdir(), 'warden-bench-'));
  try {
    writeFleetBundle(directory, { rules, entries: 1, version: 'one' });
    return (await compileDirectory(directory)).policy;
  } finally {
    rmSync(directory, { recursive: true });
  }
}

function timed(find: () => PlacedRule | undefined) {
  return async () => {
    const startedAt = performance.now();
    for (let at = 0; at < LOOKUPS; at += 1) {
      if (find()?.rule.name !== 'everything') throw new Error('not the rule that decides');
    }
    return performance.now() - startedAt;
  };
}
