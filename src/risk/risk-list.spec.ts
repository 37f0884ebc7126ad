import { describe, expect, it } from 'vitest';
import { readRiskList } from './risk-list.js';

/** A file with one entry; a field is replaced or added by its line. */
function fileWith(fields: Record<string, string | undefined> = {}): string {
  const entry: Record<string, string | undefined> = {
    id: 'nfp-lockup',
    match: '{ vendor: 19ee, device: 4000 }',
    exposures: '[unassigned-extended]',
    effect: 'host-crash',
    severity: 'critical',
    confidence: 'confirmed',
    summary: 'Accesses from 0x600 on lock up the bus.',
    evidence: '[{ source: Linux 7.2.13, reference: quirk_nfp6000, date: 2026-11 }]',
    ...fields,
  };
  const lines = Object.entries(entry).filter(([, value]) => value !== undefined);
  const body = lines.map(([name, value], index) => `${index === 0 ? '  - ' : '    '}${name}: ${value}`);
  return ['apiVersion: vfio-warden.dev/v1', 'kind: RiskList', 'entries:', ...body, ''].join('\n');
}

function problemsOf(text: string): string[] {
  return readRiskList({ file: 'risks.yaml', text }).problems.map(({ message }) => message);
}

function entryOf(text: string) {
  const { entries, problems } = readRiskList({ file: 'risks.yaml', text });
  expect(problems).toEqual([]);
  return entries[0]!;
}

describe('a file of risk entries', () => {
  it('is read, with the place of each entry', () => {
    const { entry, place } = entryOf(fileWith());

    expect(place).toBe('risks.yaml:4:5');
    expect(entry).toMatchObject({ id: 'nfp-lockup', match: [{ vendor: '19ee', device: ['4000'] }] });
  });

  it.each(['19e5', '0010', '1e10', '8086'])('reads the id %s as it is written, not as a number', (id) => {
    expect(entryOf(fileWith({ match: `{ vendor: ${id}, device: ${id} }` })).entry.match[0]).toMatchObject({
      vendor: id,
      device: [id],
    });
  });

  it('takes * for a field that is left out', () => {
    const match = '{ vendor: 19ee, device: "*", class: "*", function: "*" }';

    expect(entryOf(fileWith({ match })).entry.match[0]).toMatchObject({
      device: undefined,
      class: undefined,
      function: undefined,
    });
  });

  it('names file, line, column, field and remedy of a wrong value', () => {
    expect(problemsOf(fileWith({ severity: 'hihg' }))).toEqual([
      'risks.yaml:8:15: entries[0].severity has a value that is not accepted: hihg. ' +
        'Use one of critical, high, medium, low, info.',
    ]);
  });

  it('points at the entry that lacks a field, and at the name of a field that is not known', () => {
    expect(problemsOf(fileWith({ severity: undefined, sevrity: 'high' }))).toEqual([
      'risks.yaml:11:5: entries[0].sevrity is no field known here. Correct its spelling, or remove it.',
      'risks.yaml:4:5: entries[0].severity is missing. Use one of critical, high, medium, low, info.',
    ]);
  });

  it('reports all that is wrong, not only the first', () => {
    const text = fileWith({ severity: 'hihg', confidence: 'sure', evidence: '[]' });

    expect(problemsOf(text)).toHaveLength(3);
  });

  it.each([
    ['an id that is none', { match: '{ vendor: 10DE }' }, '5:22', '4 lower-case hexadecimal digits'],
    ['a device without its vendor', { match: '{ device: 4000 }' }, '5:22', 'Give vendor too'],
    [
      'a device matched by class too',
      { match: '{ vendor: 19ee, device: 4000, class: 02 }' },
      '5:49',
      'Leave out one',
    ],
    [
      'a range that runs backwards',
      { match: '{ vendor: 19ee, device: 5000-4000 }' },
      '5:36',
      'lower end first',
    ],
    [
      'more devices than a rule may name',
      { match: '{ vendor: 19ee, device: 0000-ffff }' },
      '5:36',
      'at most 4096',
    ],
    [
      'a device named twice',
      { match: '{ vendor: 19ee, device: [4001, 4000-4002] }' },
      '5:36',
      'each device once',
    ],
    ['an unknown exposure', { exposures: '[everything]' }, '6:16', 'Use one of unassigned-extended'],
    ['a mirror without its window', { exposures: '[config-mirror-in-bar]' }, '6:16', 'Give both'],
    ['compatibility without needs', { effect: 'compatibility' }, '7:13', 'Give needs and exposures'],
    ['nothing to be done and not said so', { exposures: '[]' }, '4:5', 'Write in limits'],
    [
      'a date that is none',
      { evidence: '[{ source: a, reference: b, date: yesterday }]' },
      '11:49',
      'YYYY-MM',
    ],
  ])('refuses %s', (_, fields, place, remedy) => {
    const [problem, ...others] = problemsOf(fileWith(fields));

    expect(others).toEqual([]);
    expect(problem).toContain(`risks.yaml:${place}: `);
    expect(problem).toContain(remedy);
  });

  it.each([
    ['nothing', ''],
    ['a list', '- a'],
    ['another kind', 'apiVersion: vfio-warden.dev/v1\nkind: Policy\nentries: []\n'],
    ['an entry that is a word', 'apiVersion: vfio-warden.dev/v1\nkind: RiskList\nentries: [word]\n'],
    ['a match that is a word', fileWith({ match: 'everything' })],
    ['a summary of a book', fileWith({ summary: 'x'.repeat(301) })],
    ['aliases', 'apiVersion: &a vfio-warden.dev/v1\nkind: RiskList\nentries: [*a]\n'],
    ['a field of the language', fileWith({ __proto__x: 'a' }).replace('__proto__x', '__proto__')],
    ['brackets by the thousand', '['.repeat(20_000)],
  ])('refuses %s', (_, text) => {
    expect(problemsOf(text)).not.toEqual([]);
  });
});
