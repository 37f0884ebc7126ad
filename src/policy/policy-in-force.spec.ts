import 'reflect-metadata';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { parseBdf } from '../pci/bdf.js';
import type { PciFunction } from '../pci/pci-function.js';
import { matches } from './policy-evaluation.js';
import { nextChange, policyInForce } from './policy-in-force.js';
import type { RuleMatch } from './policy-document.js';
import type { PlacedRule, PolicyNode, PolicySet } from './policy-set.js';
import { hostShare } from './rollout.js';
import type { RuleSubject } from './rule-subject.js';

const NODE: PolicyNode = { name: 'node-1', labels: ['zone=a', 'rack=7'] };
const NOW = '2026-11-26T12:00:00Z';

const NVME: PciFunction = {
  bdf: parseBdf('81:00.0')!,
  vendor: '144d',
  device: 'a80a',
  revision: '00',
  class: '010802',
  kind: 'pf',
  resetMethods: [],
};

const SUBJECT: RuleSubject = {
  domain: { name: 'tenant-a_db', projects: ['blue'], flavor: 'large', machine: 'pc-q35-7.2' },
  source: NVME.bdf,
  function: NVME,
  knownBy: new Set(['class']),
};

function rule(fields: Partial<PlacedRule> & { match?: RuleMatch; rollout?: PlacedRule['rule']['rollout'] }) {
  const { match, rollout, ...placed } = fields;
  return {
    policy: 'p',
    file: 'f',
    rule: { name: 'a', mode: 'enforce' as const, match, rollout },
    ...placed,
  };
}

function setOf(...rules: PlacedRule[]): PolicySet {
  return { revision: 'r', rules };
}

describe('scopes', () => {
  it.each([
    [{ hosts: [{ labels: ['zone=a'] }] }, true],
    [{ hosts: [{ labels: ['zone=a', 'rack=8'] }] }, false],
    [{ hosts: [{ labels: ['rack=8'] }, { name: 'node-*' }] }, true],
    [{ hosts: [{ name: 'other' }] }, false],
    [{ domains: [{ project: 'blue' }] }, true],
    [{ domains: [{ project: 'red' }] }, false],
    [{ domains: [{ flavor: 'l*', machine: 'pc-q35-*' }] }, true],
    [{ domains: [{ machine: 'pc-i440fx-*' }] }, false],
  ])('%j admits this node and domain: %s', (scope, expected) => {
    const found = policyInForce(setOf(rule({ scope })), NODE, NOW).findRule(SUBJECT);
    expect(found !== undefined).toBe(expected);
  });
});

describe('a rollout', () => {
  const staged = rule({ rollout: [{ from: '2026-12-01', hosts: 10 }, { from: '2026-12-08' }] });
  const modeAt = (time: string, name: string) =>
    policyInForce(setOf(staged), { name, labels: [] }, time).modeOf(staged).mode;
  const hosts = Array.from({ length: 1000 }, (_, at) => `compute-${at}`);
  const enforcing = (time: string) => hosts.filter((name) => modeAt(time, name) === 'enforce');

  it('observes at first, then enforces on a share of the hosts, then on all', () => {
    expect(enforcing('2026-11-30T23:59:59Z')).toHaveLength(0);
    const first = enforcing('2026-12-01T00:00:00Z');
    expect(first.length).toBeGreaterThan(60);
    expect(first.length).toBeLessThan(140);
    expect(enforcing('2026-12-07T12:00:00Z')).toEqual(first);
    expect(enforcing('2026-12-08T00:00:00Z')).toHaveLength(1000);
  });

  it('reaches a host by its name alone, and says why it has not yet', () => {
    expect(hostShare('compute-1')).toBe(hostShare('compute-1'));
    const { modeOf } = policyInForce(setOf(staged), NODE, NOW);
    expect(modeOf(staged)).toEqual({ mode: 'observe', heldBack: expect.any(String) as string });
  });

  it('goes by the steps that have begun also where the clock goes backwards', () => {
    const policies = setOf(staged);
    const at = (time: string) => policyInForce(policies, NODE, time).modeOf(staged).mode;
    expect(at('2026-12-09T00:00:00Z')).toBe('enforce');
    expect(at('2026-11-01T00:00:00Z')).toBe('observe');
    expect(at('2026-12-09T00:00:00Z')).toBe('enforce');
  });
});

describe('exemptions', () => {
  const policies: PolicySet = {
    ...setOf(rule({})),
    exemptions: [
      {
        name: 'burn-in',
        file: 'e.yaml',
        match: { devices: [{ bdf: '0000:81:00.0' }] },
        reason: 'burn-in',
        owner: 'storage',
        ticket: 'OPS-1',
        from: '2026-11-26',
        expires: '2026-12-26',
      },
    ],
  };
  const at = (time: string) =>
    policyInForce(policies, NODE, time)
      .exemptionsFor(SUBJECT)
      .map(({ name }) => name);

  it('hold from their beginning until just before their end', () => {
    expect(at('2026-11-25T23:59:59.999Z')).toEqual([]);
    expect(at('2026-11-26T00:00:00Z')).toEqual(['burn-in']);
    expect(at('2026-12-25T23:59:59.999Z')).toEqual(['burn-in']);
    expect(at('2026-12-26T00:00:00Z')).toEqual([]);
  });

  it('make the digest of what is in force another one when they begin and end', () => {
    const digest = (time: string) => policyInForce(policies, NODE, time).digest;
    expect(digest('2026-11-27T00:00:00Z')).toBe(digest('2026-12-01T00:00:00Z'));
    expect(digest('2026-11-27T00:00:00Z')).not.toBe(digest('2027-01-01T00:00:00Z'));
    expect(nextChange(policies, Date.parse('2026-11-27'))).toBe(Date.parse('2026-12-26'));
  });
});

describe('the index of rules', () => {
  const device = fc.record(
    {
      vendor: fc.constantFrom('144d', '10de'),
      device: fc.constantFrom('a80a', '2330'),
      class: fc.constantFrom('01', '0108', '010802', '03'),
      function: fc.constantFrom('pf' as const, 'vf' as const),
      bdf: fc.constantFrom('0000:81:00.0', '0000:82:00.0'),
    },
    { requiredKeys: [] },
  );
  const domain = fc.record(
    {
      name: fc.constantFrom('tenant-a_db', 'tenant-*', '*_db', '*', 'x*'),
      project: fc.constantFrom('blue', 'red', 'b*'),
      flavor: fc.constantFrom('large', 'small'),
      machine: fc.constantFrom('pc-q35-7.2', 'pc*'),
    },
    { requiredKeys: [] },
  );
  const match = fc.record(
    {
      devices: fc.array(device, { minLength: 1, maxLength: 3 }),
      domains: fc.array(domain, { minLength: 1, maxLength: 3 }),
      risk: fc.constantFrom({ knownBy: 'class' as const }, { knownBy: 'device' as const }),
    },
    { requiredKeys: [] },
  );

  it('finds the very rule that looking at all of them finds', () => {
    fc.assert(
      fc.property(fc.array(match, { maxLength: 30 }), (all) => {
        const rules = all.map((each) => rule({ match: each }));
        const scanned = rules.find((placed) => matches(placed.rule.match, SUBJECT));
        expect(policyInForce(setOf(...rules), NODE, NOW).findRule(SUBJECT)).toBe(scanned);
      }),
      { numRuns: 2000 },
    );
  });
});
