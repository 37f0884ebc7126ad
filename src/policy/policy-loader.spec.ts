import 'reflect-metadata';
import { mkdtemp, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { refusalsOf } from '../located-error.js';
import { compileDirectory } from './bundle/compile-bundle.js';
import { loadPolicies } from './policy-loader.js';

const HEAD = 'apiVersion: vfio-warden.dev/v1\nkind: Policy\nmetadata: { name: test }\nspec:\n  rules:\n';
const RULE = '    - { name: a, mode: enforce, require: risks, mitigations: [conventional-bus] }\n';

function problems(...texts: string[]): string[] {
  try {
    loadPolicies(texts.map((text, index) => ({ file: `${index}.yaml`, text })));
  } catch (error) {
    return (refusalsOf(error) ?? []).map(({ message }) => message);
  }
  return [];
}

describe('loading policies', () => {
  it('reads rules in the order of files, and names them by policy', () => {
    const second = HEAD.replace('test', 'second') + RULE;
    const { rules, revision } = loadPolicies([
      { file: 'a.yaml', text: HEAD + RULE },
      { file: 'b.yaml', text: second },
    ]);
    expect(rules.map(({ policy, file, rule }) => `${file} ${policy}/${rule.name}`)).toEqual([
      'a.yaml test/a',
      'b.yaml second/a',
    ]);
    expect(revision).toMatch(/^[0-9a-f]{64}$/);
  });

  it('gives the same revision whatever the comments and the layout', () => {
    const revision = (text: string) => loadPolicies([{ file: 'x', text }]).revision;
    expect(revision(`# a comment\n${HEAD}${RULE}`)).toBe(revision(HEAD + RULE));
    expect(revision(HEAD + RULE.replace('enforce', 'observe'))).not.toBe(revision(HEAD + RULE));
  });

  it.each([
    [
      'an unknown mode',
      RULE.replace('enforce', 'enforced'),
      /^0\.yaml:6:24: spec\.rules\[0\]\.mode .*enforced/,
    ],
    ['an unknown exposure', RULE.replace('risks', '[unassigned]'), /spec\.rules\[0\]\.require/],
    ['an unknown mechanism', RULE.replace('conventional-bus', 'bus'), /spec\.rules\[0\]\.mitigations/],
    ['deny as a mechanism', RULE.replace('conventional-bus', 'deny'), /spec\.rules\[0\]\.mitigations/],
    ['a misspelt field', RULE.replace('mode', 'mod'), /mod is no field known here/],
    ['a rule without a mode', '    - { name: a }\n', /mode is missing/],
    ['two rules of one name', RULE + RULE, /rule name a is also at 0\.yaml:6:/],
    [
      'a bad device id',
      `${RULE.trimEnd().slice(0, -1)}, match: { devices: [{ vendor: 10DE }] } }\n`,
      /vendor .*10DE/,
    ],
  ])('refuses %s, and names the place', (_, rules, expected) => {
    const found = problems(HEAD + rules);
    expect(found.join('\n')).toMatch(expected);
    expect(found[0]).toMatch(/^0\.yaml:\d+:\d+: /);
  });

  it('takes an id for what it is, also where YAML would make a number of it', () => {
    const rule = `${RULE.trimEnd().slice(0, -1)}, match: { devices: [{ vendor: 8086, device: 0010 }] } }\n`;
    const { rules } = loadPolicies([{ file: 'x', text: HEAD + rule }]);
    expect(rules[0]!.rule.match!.devices![0]).toMatchObject({ vendor: '8086', device: '0010' });
  });

  it('refuses two policies of one name, an empty file, and what is not YAML', () => {
    expect(problems(HEAD + RULE, HEAD + RULE)[0]).toMatch(
      /^1\.yaml:3:.*policy name test is also at 0\.yaml:3:/,
    );
    expect(problems('')[0]).toMatch(/^0\.yaml:1:1: /);
    expect(problems('a: [b')[0]).toMatch(/^0\.yaml:1:/);
  });

  it('reports everything that is wrong at once', () => {
    expect(problems(HEAD + RULE.replace('enforce', 'x') + RULE.replace('name: a', 'name: A'))).toHaveLength(
      2,
    );
  });
});

describe('reading a directory of policies', () => {
  it('ignores folders and other files, and follows no link to outside', async () => {
    const directory = await mkdtemp(join(tmpdir(), 'policies-'));
    await writeFile(join(directory, 'a.yaml'), HEAD + RULE);
    await writeFile(join(directory, 'notes.txt'), 'x');
    expect((await compileDirectory(directory)).policy.rules).toHaveLength(1);
    await symlink('/etc/hostname', join(directory, 'b.yaml'));
    await expect(compileDirectory(directory)).rejects.toThrow(/link to outside/);
  });

  it('the shipped baseline can be installed unread', async () => {
    const { rules } = (await compileDirectory('policies')).policy;
    for (const { rule } of rules) {
      expect(rule.uncovered ?? 'warn', 'nothing refuses a start by itself').toBe('warn');
      expect(rule.mitigations, 'no machine type changes').not.toContain('i440fx');
      expect(rule.topologyChange ?? 'never', 'no domain that ever ran changes').not.toBe('always');
      if (rule.match?.risk?.knownBy !== 'device') expect(rule.mode, 'classes are observed').toBe('observe');
    }
  });

  it('and the examples are valid', async () => {
    expect((await compileDirectory('policies/examples')).policy.rules.length).toBeGreaterThan(0);
  });
});
