import { describe, expect, it } from 'vitest';
import { findContradictions } from './contradictions.js';
import type { DeviceMatch } from './device-match.js';
import type { RiskEntry } from './risk-entry.js';

function entry(id: string, match: DeviceMatch, fields: Partial<RiskEntry> = {}): RiskEntry {
  return {
    id,
    match: [match],
    exposures: ['reset'],
    effect: 'device-crash',
    severity: 'high',
    confidence: 'confirmed',
    summary: `What ${id} says.`,
    evidence: [{ source: 'test', reference: 'none', date: '2026-11' }],
    ...fields,
  };
}

function problemsOf(...entries: RiskEntry[]): string[] {
  const placed = entries.map((each, index) => ({ entry: each, place: `risks.yaml:${index + 1}:1` }));
  return findContradictions(placed).map(({ message }) => message);
}

const GPU = { vendor: '1002', device: ['67df'] };

describe('contradictions', () => {
  it('are two severities for the same device, exposure and effect, with both places', () => {
    expect(problemsOf(entry('a', GPU), entry('b', GPU, { severity: 'low' }))).toEqual([
      'risks.yaml:2:1: b contradicts a at risks.yaml:1:1 (1002:67df, reset/device-crash). ' +
        'Keep one of them, merge them, or make one match more specific.',
    ]);
  });

  it('are found in what ranges and lists share', () => {
    const range = { vendor: '1002', device: ['67d0-67df', '6fdf'] };

    expect(problemsOf(entry('a', range), entry('b', GPU, { severity: 'low' }))).toHaveLength(1);
  });

  it('are opposite needs of the same registers', () => {
    const compatibility = { effect: 'compatibility', exposures: ['unassigned-legacy'] } as const;
    const needs = [{ registers: ['0x7c'], access: ['write' as const], by: ['guest' as const] }];
    const fields = { ...compatibility, exposures: [...compatibility.exposures] };

    expect(
      problemsOf(entry('a', GPU, { ...fields, needs }), entry('b', GPU, { ...fields, needs: [] })),
    ).toHaveLength(1);
  });

  it('are ids used twice', () => {
    expect(problemsOf(entry('a', GPU), entry('a', { class: '01' }))).toEqual([
      'risks.yaml:2:1: the id a is used at risks.yaml:1:1 too. Give each entry its own id.',
    ]);
  });

  it('tell a repetition from a contradiction', () => {
    expect(problemsOf(entry('a', GPU), entry('b', GPU))[0]).toContain('b repeats a at risks.yaml:1:1');
  });

  it.each([
    ['a more specific match', { vendor: '1002', class: '03' }, {}],
    ['another kind of function', { ...GPU, function: 'pf' as const }, {}],
    ['another effect', GPU, { effect: 'isolation' as const }],
    ['another exposure', GPU, { exposures: ['vpd-write' as const] }],
    ['a fact beside it that no exposure covers', GPU, { exposures: [] }],
  ])('are not: %s', (_, match, fields) => {
    expect(problemsOf(entry('a', GPU), entry('b', match, { severity: 'low', ...fields }))).toEqual([]);
  });
});
