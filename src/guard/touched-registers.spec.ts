import { describe, expect, it } from 'vitest';
import { NODE_INVENTORY } from '../../test/fixtures/scenario.js';
import type { GuardedDevice, GuardedPlace } from '../host/guard/guard-status.js';
import { layoutOf } from '../pci/config-space/layout.js';
import { touchedModels } from './touched-registers.js';

const NOW = new Date('2026-11-26T08:00:00Z');
const DAYS_AGO = (days: number) => NOW.getTime() - days * 86_400_000;
const NVMES = NODE_INVENTORY.functions.filter(({ class: code }) => code.startsWith('0108'));
const NVME = NVMES[0]!;
const ID = `${NVME.vendor}:${NVME.device}`;

const device = (given: Partial<GuardedDevice> = {}): GuardedDevice => ({
  device: NVME.bdf,
  judged: 100,
  blocked: 0,
  observed: 0,
  unjudged: 0,
  firstAt: DAYS_AGO(10),
  ...given,
});

const place = (given: Partial<GuardedPlace> = {}): GuardedPlace => ({
  device: NVME.bdf,
  access: 'write',
  region: 'cfg',
  offset: 0xe0,
  outcome: 'observed',
  reason: 'unassigned',
  count: 3,
  firstAt: DAYS_AGO(5),
  lastAt: DAYS_AGO(1),
  ...given,
});

const report = (devices: GuardedDevice[], places: GuardedPlace[] = []) =>
  touchedModels(devices, places, (bdf) => NODE_INVENTORY.functions.find((fn) => fn.bdf === bdf), NOW, 7);

describe('what guests touched, by model', () => {
  it('is safe to enforce where nothing was touched for long enough', () => {
    expect(report([device()])).toMatchObject([{ id: ID, days: 10, proposal: { kind: 'enforce' } }]);
  });

  it('is not said to be safe before that', () => {
    expect(report([device({ firstAt: DAYS_AGO(2) })])[0]!.proposal).toEqual({ kind: 'wait', missingDays: 5 });
  });

  it('proposes to exempt the exposures that were touched, however short it was watched', () => {
    const places = [place(), place({ offset: 0xff0 }), place({ offset: 0xe4, access: 'read' })];
    expect(report([device({ firstAt: DAYS_AGO(1) })], places)[0]!.proposal).toEqual({
      kind: 'exempt',
      exposures: ['unassigned-extended', 'unassigned-legacy'],
    });
  });

  it('tells a capability that vfio hides from a gap', () => {
    const hiding = NODE_INVENTORY.functions.find((fn) => fn.configSpace && hidden(fn) !== undefined)!;
    const [model] = report(
      [device({ device: hiding.bdf })],
      [place({ device: hiding.bdf, offset: hidden(hiding)! })],
    );
    expect(model!.proposal).toEqual({ kind: 'exempt', exposures: ['hidden-capability'] });
  });

  it('leaves what a rule of its own closes to a person', () => {
    expect(report([device()], [place({ reason: 'rule', offset: 0x44 })])[0]!.proposal).toEqual({
      kind: 'look',
    });
  });

  it('adds up blocked and observed accesses to the same register', () => {
    const places = [place(), place({ outcome: 'blocked', count: 4, lastAt: DAYS_AGO(0) })];
    expect(report([device()], places)[0]!.registers).toEqual([
      {
        region: 'cfg',
        offset: 0xe0,
        access: 'write',
        reason: 'unassigned',
        count: 7,
        blocked: 4,
        firstAt: DAYS_AGO(5),
        lastAt: DAYS_AGO(0),
      },
    ]);
  });

  it('counts a function that is gone, too', () => {
    expect(report([device({ device: '0000:ff:00.0' })])[0]!.id).toBe('not on this host any more');
  });
});

function hidden(fn: (typeof NODE_INVENTORY.functions)[number]): number | undefined {
  return layoutOf(fn.configSpace!).regions.find(({ owner }) => owner.kind === 'unassigned' && owner.hidden)
    ?.start;
}
