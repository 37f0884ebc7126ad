import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBdf } from '../pci/bdf.js';
import type { PciFunction } from '../pci/pci-function.js';
import type { RuleMatch } from './policy-document.js';
import { globMatches } from './policy-evaluation.js';
import { policyInForce } from './policy-in-force.js';
import type { PolicySet } from './policy-set.js';
import type { RuleSubject } from './rule-subject.js';

const NVME: PciFunction = {
  bdf: parseBdf('81:00.0')!,
  vendor: '144d',
  device: 'a80a',
  revision: '00',
  class: '010802',
  kind: 'pf',
  resetMethods: [],
};

const NODE = { name: 'node-1', labels: [] };

const SUBJECT: RuleSubject = {
  domain: { name: 'tenant-a_db', uuid: '5d0f1c52-3a3f-4b0e-9a55-2f6f0f9b7c11' },
  source: NVME.bdf,
  function: NVME,
  knownBy: new Set(['class']),
};

function findRule(policies: PolicySet, subject: RuleSubject) {
  return policyInForce(policies, NODE, '2026-11-26T00:00:00Z').findRule(subject);
}

function matches(match: RuleMatch, subject = SUBJECT): boolean {
  return (
    findRule(
      { revision: '', rules: [{ policy: '', file: '', rule: { name: 'a', mode: 'off', match } }] },
      subject,
    ) !== undefined
  );
}

describe('matching rules', () => {
  it.each<[RuleMatch, boolean]>([
    [{}, true],
    [{ devices: [{ class: '0108' }] }, true],
    [{ devices: [{ class: '02' }] }, false],
    [{ devices: [{ class: '02' }, { vendor: '144d', device: 'a80a' }] }, true],
    [{ devices: [{ vendor: '144d', class: '02' }] }, false],
    [{ devices: [{ function: 'vf' }] }, false],
    [{ devices: [{ bdf: '0000:81:00.0' }] }, true],
    [{ domains: [{ name: 'tenant-a_*' }] }, true],
    [{ domains: [{ name: 'tenant-b_*' }] }, false],
    [{ domains: [{ uuid: '5D0F1C52-3A3F-4B0E-9A55-2F6F0F9B7C11' }] }, true],
    [{ risk: { knownBy: 'class' } }, true],
    [{ risk: { knownBy: 'device' } }, false],
    [{ devices: [{ class: '0108' }], risk: { knownBy: 'device' } }, false],
  ])('%j: %s', (match, expected) => {
    expect(matches(match)).toBe(expected);
  });

  it('a function that the inventory does not have matches by address only', () => {
    const { function: _, ...unknown } = SUBJECT;
    expect(matches({ devices: [{ class: '01' }] }, unknown)).toBe(false);
    expect(matches({ devices: [{ bdf: '0000:81:00.0' }] }, unknown)).toBe(true);
    expect(matches({}, unknown)).toBe(true);
  });

  it('the first rule that matches decides', () => {
    const rule = (name: string, match?: RuleMatch) => ({
      policy: 'p',
      file: 'f',
      rule: { name, mode: 'off' as const, match },
    });
    const rules = [
      rule('nic', { devices: [{ class: '02' }] }),
      rule('storage', { devices: [{ class: '01' }] }),
      rule('rest'),
    ];
    expect(findRule({ revision: '', rules }, SUBJECT)?.rule.name).toBe('storage');
  });
});

describe('name patterns', () => {
  it('say the same as the regular expression that they stand for', () => {
    const pieces = fc.array(fc.constantFrom('a', 'b', '*'), { maxLength: 8 }).map((parts) => parts.join(''));
    fc.assert(
      fc.property(pieces, fc.stringMatching(/^[ab]{0,10}$/), (pattern, text) => {
        expect(globMatches(pattern, text)).toBe(new RegExp(`^${pattern.replaceAll('*', '.*')}$`).test(text));
      }),
      { numRuns: 2000 },
    );
  });

  it('cannot be made to take long', () => {
    expect(globMatches('a*'.repeat(60) + 'b', 'a'.repeat(250))).toBe(false);
  });
});
