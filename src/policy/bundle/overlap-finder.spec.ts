import 'reflect-metadata';
import { describe, expect, it } from 'vitest';
import type { PolicyRule } from '../policy-document.js';
import type { Scope } from '../selectors.js';
import { OverlapFinder } from './overlap-finder.js';

type Given = Partial<PolicyRule> & { scope?: Scope };

/** What is found of the last of some rules: what the one that is named does to it. */
function found(...rules: readonly Given[]): string | undefined {
  const finder = new OverlapFinder<number>();
  const overlaps = rules.map(({ scope, ...rule }, at) =>
    finder.add({ rule: { name: `rule-${at}`, mode: 'enforce', ...rule }, ...(scope && { scope }) }, at),
  );
  const last = overlaps.at(-1);
  return last && `${last.earlier} ${last.kind}`;
}

const device = (...devices: NonNullable<PolicyRule['match']>['devices'] & object) => ({ match: { devices } });
const domain = (...domains: NonNullable<PolicyRule['match']>['domains'] & object) => ({ match: { domains } });
const off = { mode: 'off' } as const;

describe('a rule that nothing is left for', () => {
  it.each<[string, Given[]]>([
    ['everything', [{}, device({ vendor: '10de' })]],
    ['its vendor', [device({ vendor: '10de' }), device({ vendor: '10de', device: '2330' })]],
    ['its base class', [device({ class: '01' }), device({ class: '0108', function: 'pf' })]],
    [
      'each of its devices',
      [
        device({ vendor: '10de' }, { class: '01' }),
        device({ class: '0108' }, { vendor: '10de', device: '2330' }),
      ],
    ],
    ['domains named alike', [domain({ name: 'web-*' }), domain({ name: 'web-1' })]],
    ['a longer beginning', [domain({ name: 'web-*' }), domain({ name: 'web-a*' })]],
    [
      'its hosts',
      [
        { scope: { hosts: [{ labels: ['rack=a'] }] } },
        { scope: { hosts: [{ name: 'n1', labels: ['rack=a', 'gpu=yes'] }] } },
      ],
    ],
    ['known by any means', [{}, { match: { risk: { knownBy: 'class' } } }]],
  ])('is told, where an earlier one matches %s', (_, rules) => {
    expect(found(...rules)).toBe('0 hides');
    expect(found(...rules.toReversed())).toBeUndefined();
  });
});

describe('rules that decide otherwise about some devices', () => {
  it.each<[string, Given, Given]>([
    ['a class and a vendor', device({ class: '0108' }), device({ vendor: '144d' })],
    [
      'a vendor among others',
      device({ vendor: '10de' }, { vendor: '1002' }),
      device({ vendor: '1002' }, { vendor: '8086' }),
    ],
    ['a project and a name', domain({ project: 'blue' }), domain({ name: 'web-*' })],
    ['a class before ids', device({ class: '0108' }), device({ vendor: '144d', device: 'a80a' })],
    [
      'a class before what is known by ids',
      { match: { risk: { knownBy: 'class' } } },
      { match: { risk: { knownBy: 'device' } } },
    ],
  ])('are told where they cross: %s', (_, first, second) => {
    expect(found(first, { ...second, ...off })).toBe('0 contradicts');
    expect(found(first, second)).toBeUndefined();
    expect(found({ ...first, uncovered: 'deny' }, { ...second, uncovered: 'warn' })).toBe('0 contradicts');
  });

  it.each<[string, Given, Given]>([
    ['one function before its class', device({ bdf: '0000:81:00.0' }), device({ class: '0108' })],
    ['ids before a class', device({ vendor: '144d', device: 'a80a' }), device({ class: '0108' })],
    ['one domain before all others', domain({ name: 'web-1' }), device({ class: '0108' })],
    [
      'one host before all others',
      { ...device({ class: '0108' }), scope: { hosts: [{ name: 'n1' }] } },
      device({ vendor: '144d' }),
    ],
    [
      'what is known by ids before a class',
      { match: { risk: { knownBy: 'device' } } },
      { match: { risk: { knownBy: 'class' } } },
    ],
  ])('are as they should be where the first is an exception: %s', (_, first, second) => {
    expect(found({ ...first, ...off }, second)).toBeUndefined();
  });

  it.each<[string, Given, Given]>([
    ['other vendors', device({ vendor: '10de', class: '03' }), device({ vendor: '1002', function: 'vf' })],
    ['other classes', device({ class: '0108' }), device({ class: '0200', vendor: '8086' })],
    [
      'other values of a label',
      { scope: { hosts: [{ labels: ['rack=a'] }] } },
      { scope: { hosts: [{ labels: ['rack=b'] }] } },
    ],
    ['other names', domain({ name: 'web-*', flavor: 'a' }), domain({ name: 'db-*', project: 'p' })],
    ['a name and a UUID', domain({ name: 'a' }), domain({ uuid: '5d0f1c52-3a3f-4b0e-9a55-2f6f0f9b7c23' })],
  ])('are none where nothing can match both: %s', (_, first, second) => {
    expect(found({ ...first, ...off }, second)).toBeUndefined();
  });
});

it('looks among ten thousand rules at those only that may match the same', () => {
  const finder = new OverlapFinder<number>();
  const hex = (number: number) => number.toString(16).padStart(4, '0');
  const rule = (match: PolicyRule['match']): PolicyRule => ({ name: 'one', mode: 'enforce', match: match! });
  let told = 0;
  for (let at = 0; at < 10_000; at += 1) {
    const devices = [{ vendor: '10de', device: hex(at) }];
    const match =
      at % 2 === 0 ? { devices } : { devices: [{ class: '0108' }], domains: [{ name: `vm-${at}` }] };
    if (finder.add({ rule: rule(match) }, at)) told += 1;
  }
  expect(finder.exhausted).toBe(false);
  expect(told).toBe(0);
  expect(
    finder.add({ rule: rule({ devices: [{ vendor: '10de', device: '0002', function: 'vf' }] }) }, 1),
  ).toEqual({
    kind: 'hides',
    earlier: 2,
  });
});

it('gives up, and says so, where rules are made to be compared with all others', () => {
  const finder = new OverlapFinder<number>();
  for (let at = 0; at < 10_000 && !finder.exhausted; at += 1) {
    const domains = [at % 2 === 0 ? { project: `p${at}` } : { name: `n${at}*` }];
    finder.add({ rule: { name: 'one', mode: 'enforce', match: { domains } } }, at);
  }
  expect(finder.exhausted).toBe(true);
});
