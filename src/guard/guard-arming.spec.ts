import { describe, expect, it } from 'vitest';
import type { Decision } from '../decision/decision.js';
import type { GuardedFunction } from '../decision/guard-rules.js';
import type { GuardRules } from '../host/guard/guard-program.js';
import type { Bdf } from '../pci/bdf.js';
import { GuardArming } from './guard-arming.js';

const BDF = '0000:01:00.0' as Bdf;
const decisionOf = (uuid: string) => ({ id: `wd-${uuid}`, domain: { uuid } }) as Decision;
const DECISION = decisionOf('u1');
const guarded = (rules: string, reliedUpon = true): GuardedFunction => ({
  device: BDF,
  mode: 'enforce',
  rules,
  reliedUpon,
  unplaced: [],
});

function arming(devices: GuardedFunction[], ready = true) {
  const applied: GuardRules[][] = [];
  const removed: string[] = [];
  let fault: Error | undefined;
  const sut = new GuardArming({
    program: {
      apply: (rules) => {
        if (fault) throw fault;
        applied.push([...rules]);
      },
      remove: (gone) => {
        if (fault) throw fault;
        removed.push(...gone);
      },
    },
    ready: () => ready,
    rulesOf: () => devices,
    onArmed: () => {},
    onReleased: () => {},
  });
  return { sut, applied, removed, break: (error: Error) => (fault = error) };
}

describe('arming the kernel guard for a domain', () => {
  it('puts the rules of its functions in force before it returns', () => {
    const { sut, applied } = arming([guarded('unassigned:w:block')]);
    expect(sut.arm(DECISION)).toBeUndefined();
    expect(applied).toEqual([[{ device: '0000:01:00.0', mode: 'enforce', rules: 'unassigned:w:block' }]]);
  });

  it('says so where the plan relies on a guard that is gone', () => {
    expect(arming([guarded('unassigned:w:block')], false).sut.arm(DECISION)?.problem).toContain(
      'not in force',
    );
    expect(arming([guarded('unassigned:rw:allow', false)], false).sut.arm(DECISION)).toBeUndefined();
  });

  it('says so where the guard does not take the rules', () => {
    const host = arming([guarded('unassigned:w:block')]);
    host.break(new Error('maps: no room'));
    expect(host.sut.arm(DECISION)?.problem).toContain('maps: no room');
  });

  it('leaves a running domain alone whose rules are in force, until the guard was attached anew', () => {
    const devices = [guarded('unassigned:w:block')];
    const { sut, applied } = arming(devices);
    sut.armRunning(DECISION);
    sut.armRunning(DECISION);
    expect(applied).toHaveLength(1);
    devices[0] = guarded('unassigned:w:block;cfg:44-47:w:block');
    sut.armRunning(DECISION);
    expect(applied).toHaveLength(2);
    sut.forget();
    sut.armRunning(DECISION);
    expect(applied).toHaveLength(3);
  });

  it('tries a running domain again whose rules were not taken', () => {
    const host = arming([guarded('unassigned:w:block')]);
    host.sut.armRunning(DECISION);
    host.break(new Error('gone'));
    expect(host.sut.arm(DECISION)).toBeDefined();
    expect(host.sut.armRunning(DECISION)).toBeDefined();
  });
});

describe('releasing functions that a domain gave up', () => {
  const rules = [guarded('unassigned:w:block;cfg:44-47:w:block')];

  it('removes their rules, and arms them anew at the next start', () => {
    const { sut, applied, removed } = arming(rules);
    sut.arm(DECISION);
    expect(sut.release('U1', [BDF], sut.now)).toBeUndefined();
    expect(removed).toEqual([BDF]);
    sut.armRunning(DECISION);
    expect(applied).toHaveLength(2);
  });

  it('leaves rules alone that the domain got for its next start while libvirt was asked about the last', () => {
    const { sut, removed } = arming(rules);
    sut.arm(DECISION);
    const asked = sut.now;
    sut.arm(DECISION);
    sut.release('u1', [BDF], asked);
    expect(removed).toEqual([]);
  });

  it("leaves rules alone that are another domain's by now", () => {
    const { sut, removed } = arming(rules);
    sut.arm(DECISION);
    sut.arm(decisionOf('u2'));
    sut.release('u1', [BDF], sut.now);
    expect(removed).toEqual([]);
  });

  it('knows what was armed for a domain', () => {
    const { sut } = arming(rules);
    sut.arm(DECISION);
    expect(sut.functionsOf('U1')).toEqual([BDF]);
    sut.arm(decisionOf('u2'));
    expect(sut.functionsOf('u1')).toEqual([]);
  });

  it('removes what a service before this one armed', () => {
    const { sut, removed } = arming(rules);
    sut.release('u1', [BDF], sut.now);
    expect(removed).toEqual([BDF]);
  });

  it('says so where the guard keeps them', () => {
    const host = arming(rules);
    host.sut.arm(DECISION);
    host.break(new Error('maps: no'));
    expect(host.sut.release('u1', [BDF], host.sut.now)?.problem).toContain('still has its rules: maps: no');
  });
});
