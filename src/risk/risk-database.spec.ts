import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import type { DeviceMatch } from './device-match.js';
import { RiskDatabase, type AssessedFunction } from './risk-database.js';
import type { RiskEntry } from './risk-entry.js';

function entry(id: string, match: DeviceMatch, fields: Partial<RiskEntry> = {}): RiskEntry {
  return {
    id,
    match: [match],
    exposures: ['unassigned-extended'],
    effect: 'host-crash',
    severity: 'high',
    confidence: 'confirmed',
    summary: `What ${id} says.`,
    evidence: [{ source: 'test', reference: 'none', date: '2026-11' }],
    ...fields,
  };
}

const NIC: AssessedFunction = { vendor: '19ee', device: '4000', class: '020000', kind: 'pf' };
const BY_DEVICE = { vendor: '19ee', device: ['4000'] };
const BY_CLASS = { class: '0200' };

function assess(entries: RiskEntry[], fn: AssessedFunction = NIC) {
  return RiskDatabase.of(entries).assess(fn);
}

function held(entries: RiskEntry[], fn?: AssessedFunction): string[] {
  return assess(entries, fn).risks.map(({ exposure, risk }) => `${exposure}: ${risk.entry}`);
}

describe('an assessment', () => {
  it('says what is known of a device, how exactly, and by whom', () => {
    const { risks } = assess([entry('nfp', BY_DEVICE, { severity: 'critical', advice: 'Update.' })]);

    expect(risks).toEqual([
      {
        exposure: 'unassigned-extended',
        risk: {
          entry: 'nfp',
          knownBy: 'device',
          severity: 'critical',
          effect: 'host-crash',
          confidence: 'confirmed',
          summary: 'What nfp says.',
          advice: 'Update.',
          evidence: [{ source: 'test', reference: 'none', date: '2026-11' }],
        },
      },
    ]);
    expect(assess([entry('nics', BY_CLASS)]).risks[0]!.risk.knownBy).toBe('class');
  });

  it('lets the specific override the general, even where it is milder, and shows both', () => {
    const entries = [
      entry('nics', BY_CLASS, { severity: 'critical' }),
      entry('nfp', BY_DEVICE, { severity: 'low' }),
    ];

    expect(held(entries)).toEqual(['unassigned-extended: nfp']);
    expect(assess(entries).overridden).toEqual([
      { exposure: 'unassigned-extended', effect: 'host-crash', entry: 'nics', by: ['nfp'] },
    ]);
  });

  it('lets statements about different effects or exposures stand side by side', () => {
    const entries = [
      entry('nics', BY_CLASS, { exposures: ['power-management'] }),
      entry('nics-isolation', BY_CLASS, { effect: 'isolation', severity: 'low' }),
      entry('nfp', BY_DEVICE),
    ];

    expect(held(entries)).toEqual([
      'unassigned-extended: nfp',
      'unassigned-extended: nics-isolation',
      'power-management: nics',
    ]);
  });

  it('lets equally specific entries hold together, the worst first', () => {
    const entries = [
      entry('pf', { ...BY_CLASS, function: 'pf' }, { severity: 'low' }),
      entry('revision', { ...BY_CLASS, revision: '01' }, { severity: 'high' }),
    ];

    expect(held(entries, { ...NIC, revision: '01' })).toEqual([
      'unassigned-extended: revision',
      'unassigned-extended: pf',
    ]);
  });

  it('says nothing of a virtual function by an entry about physical ones', () => {
    expect(held([entry('talk', { ...BY_CLASS, function: 'pf' })], { ...NIC, kind: 'vf' })).toEqual([]);
  });
});

describe('what Linux handles', () => {
  const capped = entry('nfp', BY_DEVICE, {
    handledByLinux: { how: 'It ends config space at 0x600.', configSizeAtMost: '0x600' },
  });
  const noFlr = entry('xhci', BY_DEVICE, {
    exposures: ['reset'],
    handledByLinux: { how: 'It does not use FLR.', resetMethodAbsent: 'flr' },
  });
  const special = entry('nvme', BY_DEVICE, {
    exposures: ['reset'],
    handledByLinux: { how: 'It disables first.', resetMethodPresent: 'device_specific' },
  });

  it.each<[string, RiskEntry, Partial<AssessedFunction>]>([
    ['config space ends before', capped, { configSize: 0x600 }],
    ['the reset is not in use', noFlr, { resetMethods: ['pm', 'bus'] }],
    ['the reset of its own is in use', special, { resetMethods: ['device_specific', 'flr'] }],
  ])('is a notice where %s', (_, known, seen) => {
    const { risks, notices } = assess([known], { ...NIC, ...seen });

    expect(risks).toEqual([]);
    expect(notices).toMatchObject([{ reason: 'handled', detail: known.handledByLinux!.how }]);
  });

  it.each<[string, RiskEntry, Partial<AssessedFunction>]>([
    ['this kernel does not do it', capped, { configSize: 4096 }],
    ['this kernel resets so', noFlr, { resetMethods: ['flr', 'bus'] }],
    ['it was not looked at', capped, {}],
    ['the reset methods are not known', noFlr, { resetMethods: [] }],
  ])('is a risk where %s', (_, known, seen) => {
    expect(assess([known], { ...NIC, ...seen })).toMatchObject({
      risks: [{ risk: { handledBy: `Linux: ${known.handledByLinux!.how}` } }],
      notices: [],
    });
  });
});

describe('notices', () => {
  it('tell what no exposure covers, and what was seen on bare metal', () => {
    const { risks, notices } = assess([
      entry('alias', BY_DEVICE, { exposures: [], effect: 'isolation', limits: 'Only the IOMMU helps.' }),
      entry('smartnic', BY_CLASS, { scope: 'bare-metal', limits: 'No VFIO in the path.' }),
    ]);

    expect(risks).toEqual([]);
    expect(notices).toMatchObject([
      { reason: 'no-exposure', risk: { entry: 'alias' }, detail: 'Only the IOMMU helps.' },
      { reason: 'bare-metal', risk: { entry: 'smartnic' }, detail: 'No VFIO in the path.' },
    ]);
  });
});

describe('needs of drivers', () => {
  const needs = (...registers: string[]): Partial<RiskEntry> => ({
    effect: 'compatibility',
    exposures: ['unassigned-legacy'],
    needs: [{ registers, access: ['write'], by: ['guest'] }],
  });

  it('are ranges of bytes with both ends included', () => {
    expect(assess([entry('tg3', BY_DEVICE, needs('0x68-0x6b', '0xfc'))])).toMatchObject({
      risks: [],
      needs: [
        {
          entry: 'tg3',
          ranges: [
            { from: 0x68, to: 0x6b },
            { from: 0xfc, to: 0xfc },
          ],
          access: ['write'],
        },
      ],
    });
  });

  it('have no ranges where nobody has told which', () => {
    expect(assess([entry('old', BY_DEVICE, needs('unknown'))]).needs[0]).not.toHaveProperty('ranges');
  });

  it('are taken back for a device that is known to have none', () => {
    const none = { ...needs(), needs: [] };

    expect(assess([entry('all', BY_CLASS, needs('0xfc')), entry('this', BY_DEVICE, none)]).needs).toEqual([]);
  });
});

describe('windows in BARs', () => {
  it('count as trapped only where QEMU always traps them', () => {
    const window = { bar: '0', size: '0x1000', addressing: 'direct' as const };
    const { risks, mirrors } = assess([
      entry('gpu', BY_DEVICE, {
        exposures: ['config-mirror-in-bar'],
        mirrors: [
          { ...window, offset: '0x88000', trappedByQemu: 'always' },
          { ...window, offset: '0x1800', trappedByQemu: 'with-x-vga' },
        ],
      }),
    ]);

    expect(risks.map(({ trapped }) => trapped)).toEqual([false, true]);
    expect(mirrors).toMatchObject([
      { bar: 0, offset: 0x88000, size: 0x1000 },
      { bar: 0, offset: 0x1800 },
    ]);
  });
});

describe('the revision', () => {
  const entries = ['a', 'b', 'c'].map((id) => entry(id, { class: '01' }));

  it('does not depend on the order of the entries', () => {
    fc.assert(
      fc.property(fc.shuffledSubarray(entries, { minLength: 3 }), (shuffled) => {
        expect(RiskDatabase.of(shuffled).revision).toBe(RiskDatabase.of(entries).revision);
      }),
    );
  });

  it('changes with anything that an entry says', () => {
    const changed = entries.map((each) => (each.id === 'b' ? { ...each, summary: 'Something else.' } : each));

    expect(RiskDatabase.of(changed).revision).not.toBe(RiskDatabase.of(entries).revision);
  });
});
