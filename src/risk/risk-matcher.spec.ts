import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { deviceIdsOf, hexRange, type DeviceMatch, type PciIdentity } from './device-match.js';
import type { RiskEntry } from './risk-entry.js';
import { RiskMatcher } from './risk-matcher.js';
import { packRisks } from './risk-pack.js';

function entry(id: string, ...match: DeviceMatch[]): RiskEntry {
  return {
    id,
    match,
    exposures: ['reset'],
    effect: 'device-crash',
    severity: 'high',
    confidence: 'confirmed',
    summary: 'A synthetic entry.',
    evidence: [{ source: 'test', reference: 'none', date: '2026-11' }],
  };
}

/** As many entries about different devices, and one in ten about a vendor and class. */
function syntheticEntries(count: number): RiskEntry[] {
  const id4 = (value: number) => value.toString(16).padStart(4, '0');
  return Array.from({ length: count }, (_, at) => {
    const vendor = id4(0x2000 + Math.floor(at / 1000));
    return entry(
      `e${at}`,
      at % 10 === 0 ? { vendor, class: id4(at % 1000) } : { vendor, device: [id4(at % 1000)] },
    );
  });
}

const H100: PciIdentity = {
  vendor: '10de',
  device: '2330',
  subsystemVendor: '10de',
  subsystemDevice: '16c1',
  class: '030200',
  revision: 'a1',
  kind: 'pf',
};

function found(matches: Record<string, DeviceMatch>, fn: PciIdentity): string[] {
  const entries = Object.entries(matches).map(([id, match]) => entry(id, match));
  return new RiskMatcher(packRisks(entries)).lookup(fn).map((match) => match.entry.id);
}

describe('a lookup', () => {
  it('gives the most specific first', () => {
    const matches: Record<string, DeviceMatch> = {
      any: {},
      base: { class: '03' },
      class: { class: '0302' },
      interface: { class: '030200' },
      vendor: { vendor: '10de' },
      vendorBase: { vendor: '10de', class: '03' },
      vendorClass: { vendor: '10de', class: '0302' },
      device: { vendor: '10de', device: ['2330'] },
      devicePf: { vendor: '10de', device: ['2330'], function: 'pf' },
      subsystemVendor: { vendor: '10de', device: ['2330'], subsystemVendor: '10de' },
      subsystem: { vendor: '10de', device: ['2330'], subsystemVendor: '10de', subsystemDevice: '16c1' },
    };

    expect(found(matches, H100)).toEqual(Object.keys(matches).toReversed());
  });

  it.each<[string, DeviceMatch]>([
    ['another device', { vendor: '10de', device: ['2331'] }],
    ['the same device id of another vendor', { vendor: '1002', device: ['2330'] }],
    ['virtual functions', { class: '03', function: 'vf' }],
    ['earlier revisions', { vendor: '10de', device: ['2330'], revision: '00-a0' }],
    ['another sub-class', { class: '0300' }],
    ['another subsystem', { vendor: '10de', device: ['2330'], subsystemVendor: '1028' }],
  ])('leaves out an entry about %s', (_, match) => {
    expect(found({ match }, H100)).toEqual([]);
  });

  it('finds by ids alone what asks for a kind or revision, but nothing by class', () => {
    const matches: Record<string, DeviceMatch> = {
      pf: { vendor: '10de', device: ['2330'], function: 'pf', revision: 'a1' },
      class: { class: '03' },
    };

    expect(found(matches, { vendor: '10de', device: '2330' })).toEqual(['pf']);
  });

  it('names an entry once, by the most specific of its matches', () => {
    const matcher = new RiskMatcher(
      packRisks([entry('a', { class: '03' }, { vendor: '10de', device: ['2330'] })]),
    );

    expect(matcher.lookup(H100)).toMatchObject([{ level: 'device' }]);
  });

  it('finds exactly what comparing with every entry finds, in any order of the entries', () => {
    const pick = <T>(...values: T[]) => fc.option(fc.constantFrom(...values), { nil: undefined });
    // Few values, so that they meet.
    const rule = fc
      .record({
        vendor: pick('10de', '1002'),
        device: pick(['2330'], ['2300-2340'], ['0001', '0002']),
        subsystemVendor: pick('10de', '1028'),
        subsystemDevice: pick('16c1'),
        class: pick('03', '0302', '030200', '01'),
        function: pick<'pf' | 'vf'>('pf', 'vf'),
        revision: pick('a1', '00-0f'),
      })
      .map(wellFormed);
    const identity = fc.record({
      vendor: fc.constantFrom('10de', '1002'),
      device: fc.constantFrom('2330', '2331', '0001'),
      subsystemVendor: pick('10de', '1028'),
      subsystemDevice: pick('16c1'),
      class: fc.constantFrom('030200', '030000', '010802'),
      revision: fc.constantFrom('a1', '05'),
      kind: fc.constantFrom<'pf' | 'vf'>('pf', 'vf'),
    });

    fc.assert(
      fc.property(fc.array(rule, { maxLength: 12 }), identity, (rules, known) => {
        const fn = withoutUndefined(known) as unknown as PciIdentity;
        const entries = rules.map((match, index) => entry(`e${index}`, match));
        const got = new RiskMatcher(packRisks(entries)).lookup(fn);

        expect(got.map((match) => match.entry.id).toSorted()).toEqual(
          entries
            .filter((each) => matchesField(each.match[0]!, fn))
            .map(({ id }) => id)
            .toSorted(),
        );
        expect(new RiskMatcher(packRisks(entries.toReversed())).lookup(fn)).toEqual(got);
      }),
    );
  });

  it('takes no longer with 50 times as many entries about other devices', () => {
    const fn = { ...H100, vendor: '2000', device: '0123' };
    const perLookup = (count: number) => {
      const matcher = new RiskMatcher(packRisks(syntheticEntries(count)));
      const samples = Array.from({ length: 9 }, () => {
        const start = process.hrtime.bigint();
        for (let round = 0; round < 2000; round += 1) matcher.lookup(fn);
        return Number(process.hrtime.bigint() - start);
      });
      return Math.min(...samples);
    };
    perLookup(400);

    // A scan would take 50 times as long; 10 leaves room for a busy machine.
    expect(perLookup(20_000)).toBeLessThan(10 * perLookup(400));
  });
});

/** What the loader would accept: a device with a vendor and no class, a subsystem with a device. */
function wellFormed(match: { [K in keyof DeviceMatch]: DeviceMatch[K] | undefined }): DeviceMatch {
  const { vendor, device, subsystemVendor, subsystemDevice, ...rest } = match;
  const named = vendor === undefined ? undefined : device;
  return withoutUndefined({
    ...rest,
    vendor,
    device: named,
    class: named ? undefined : rest.class,
    subsystemVendor: named && subsystemVendor,
    subsystemDevice: named && subsystemVendor && subsystemDevice,
  });
}

function withoutUndefined(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, part]) => part !== undefined));
}

/** The definition of a match, field by field. */
function matchesField(rule: DeviceMatch, fn: PciIdentity): boolean {
  const [from, to] = hexRange(rule.revision ?? '00-ff');
  const revision = parseInt(fn.revision!, 16);
  return (
    [undefined, fn.vendor].includes(rule.vendor) &&
    (deviceIdsOf(rule)?.includes(fn.device) ?? true) &&
    (rule.subsystemVendor === undefined || rule.subsystemVendor === fn.subsystemVendor) &&
    (rule.subsystemDevice === undefined || rule.subsystemDevice === fn.subsystemDevice) &&
    fn.class!.startsWith(rule.class ?? '') &&
    (rule.function === undefined || rule.function === fn.kind) &&
    from <= revision &&
    revision <= to
  );
}
