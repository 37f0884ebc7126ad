import 'reflect-metadata';
import { describe, expect, it } from 'vitest';
import { refusalsOf } from '../../located-error.js';
import { RiskDatabase } from '../../risk/risk-database.js';
import { BundleCompiler } from './bundle-compiler.js';

const HEAD = 'apiVersion: vfio-warden.dev/v1\n';
const policy = (rules: string, extra = '') =>
  `${HEAD}kind: Policy\nmetadata: { name: p }\nspec:\n${extra}  rules:\n${rules}`;
const rule = (name: string, mode: string, match = '') =>
  `    - { name: ${name}, mode: ${mode}, require: risks, mitigations: [conventional-bus]${match} }\n`;
const exemption = (fields: Record<string, string> = {}) => {
  const spec = {
    match: "{ devices: [{ vendor: '10de' }] }",
    reason: 'why',
    owner: 'who',
    ticket: 'OPS-1',
    from: '2026-11-26',
    expires: '2026-12-26',
    ...fields,
  };
  const lines = Object.entries(spec).map(([name, value]) => `  ${name}: ${value}\n`);
  return `${HEAD}kind: Exemption\nmetadata: { name: e }\nspec:\n${lines.join('')}`;
};
const riskEntry = (id: string, severity: string) =>
  `${HEAD}kind: RiskEntry\nspec:\n  id: ${id}\n  match: { vendor: 10de, device: 2330 }\n` +
  `  exposures: [reset]\n  effect: host-crash\n  severity: ${severity}\n  confidence: confirmed\n` +
  '  summary: It stops.\n  evidence: [{ source: test, reference: none, date: 2026-11 }]\n';

function compile(...texts: string[]) {
  const compiler = new BundleCompiler();
  texts.forEach((text, at) => compiler.add({ file: `${at}.yaml`, path: `${at}.yaml`, text }));
  return compiler.finish();
}

function problems(...texts: string[]): string[] {
  try {
    compile(...texts);
  } catch (error) {
    return (refusalsOf(error) ?? []).map(({ message }) => message);
  }
  return [];
}

describe('a bundle', () => {
  it('takes documents of every kind', () => {
    const { policy: set, risks } = compile(
      policy(rule('a', 'observe')),
      exemption(),
      riskEntry('gpu', 'high'),
    );
    expect(set.rules).toHaveLength(1);
    expect(set.exemptions).toMatchObject([{ name: 'e', owner: 'who', file: '1.yaml' }]);
    expect(new RiskDatabase(risks).assess({ vendor: '10de', device: '2330' }).risks).toHaveLength(1);
  });

  it('replaces an entry that it builds upon by its own of the same id', () => {
    const compiler = new BundleCompiler();
    compiler.add({ file: 'own.yaml', path: 'own.yaml', text: riskEntry('gpu', 'low') });
    compiler.addBaseRisks({ file: 'base.yaml', text: riskEntry('gpu', 'critical') });
    const risks = new RiskDatabase(compiler.finish().risks);
    expect(risks.entry('gpu')?.severity).toBe('low');
    expect(risks.size).toBe(1);
  });

  it.each([
    ['an unknown kind', [`${HEAD}kind: Polcy\n`], /^0\.yaml:2:7: kind has a value .*Polcy.*Policy, RiskList/],
    ['no kind', [HEAD], /kind is missing/],
    [
      'rules that contradict',
      [policy(rule('a', 'observe') + rule('b', 'off'))],
      /rule p\/b contradicts p\/a at 0/,
    ],
    [
      'a rollout of what is not enforced',
      [policy(rule('a', 'observe', ', rollout: [{ hosts: 10 }]'))],
      /has a rollout, but its mode is observe/,
    ],
    [
      'a share above all',
      [policy(rule('a', 'enforce', ', rollout: [{ hosts: 101 }]'))],
      /rollout\[0\]\.hosts/,
    ],
    ['an exemption without an end', [exemption({ expires: "''" })], /spec\.expires/],
    ['an exemption without an owner', [exemption({ owner: "''" })], /spec\.owner/],
    ['an exemption for nobody', [exemption({ match: '{}' })], /selects neither devices nor domains/],
    ['one that ends before it begins', [exemption({ expires: '2026-11-01' })], /ends before it begins/],
    ['one that lasts too long', [exemption({ expires: '2027-03-01' })], /longer than 90 days/],
    [
      'one that lasts longer than policy lets it',
      [policy(rule('a', 'off'), '  exemptions: { longestDays: 14 }\n'), exemption()],
      /longer than 14 days/,
    ],
    ['a day that does not exist', [exemption({ expires: '2027-02-30' })], /spec\.expires/],
    ['two exemptions of one name', [exemption(), exemption()], /exemption name e is also at 0/],
  ])('refuses %s', (_, texts, expected) => {
    expect(problems(...texts).join('\n')).toMatch(expected);
  });

  it('warns of rules that are never reached, or decide otherwise about what both match', () => {
    const behind = compile(
      policy(rule('all', 'observe') + rule('nvidia', 'off', ", match: { devices: [{ vendor: '10de' }] }")),
    );
    expect(behind.warnings.map(({ problem }) => problem).join()).toMatch(
      /p\/nvidia is never reached: p\/all/,
    );
    const crossing = compile(
      policy(
        rule('nvidia', 'enforce', ", match: { devices: [{ vendor: '10de' }] }") +
          rule('display', 'off', ", match: { devices: [{ class: '03' }] }"),
      ),
    );
    expect(crossing.warnings.map(({ problem }) => problem).join()).toMatch(
      /p\/display contradicts p\/nvidia at 0\.yaml:\d+:\d+, which comes first/,
    );
    const twice = compile(policy(rule('a', 'observe') + rule('b', 'observe')));
    expect(twice.warnings.map(({ problem }) => problem).join()).toMatch(/p\/b repeats p\/a/);
  });
});
