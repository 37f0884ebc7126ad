import { describe, expect, it } from 'vitest';
import type { PlacedRule } from '../policy-set.js';
import { SharedParts } from './shared-parts.js';

/** As it comes out of a message: nothing of one is part of another. */
function ruleAbout(flavor: string, require: string[] | 'risks'): PlacedRule {
  const description = 'Agreed with the owners of these machines.';
  const rule = { name: flavor, description, match: { domains: [{ flavor }] }, mode: 'enforce', require };
  const placed = { policy: 'fleet', file: 'policies/fleet.yaml', rule };
  return JSON.parse(JSON.stringify(placed)) as PlacedRule;
}

describe('rules that share their parts', () => {
  it('say what they said', () => {
    const parts = new SharedParts();
    for (const [flavor, require] of [
      ['a', ['unassigned-extended', 'reset']],
      ['b', ['unassigned-extended', 'reset']],
      ['c', ['unassigned-extended']],
      ['d', 'risks'],
    ] as const) {
      const said = ruleAbout(flavor, require === 'risks' ? require : [...require]);
      expect(parts.share(structuredClone(said))).toEqual(said);
    }
  });

  it('have one list where they say the same', () => {
    const parts = new SharedParts();
    const [one, other] = ['a', 'b'].map((name) => parts.share(ruleAbout(name, ['reset', 'vpd-write'])));
    expect(other!.rule.require).toBe(one!.rule.require);
    expect(other!.rule.name).toBe('b');
  });
});
