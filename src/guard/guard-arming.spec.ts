import { describe, expect, it } from 'vitest';
import type { Decision } from '../decision/decision.js';
import type { GuardedFunction } from '../decision/guard-rules.js';
import type { GuardRules } from '../host/guard/guard-program.js';
import type { Bdf } from '../pci/bdf.js';
import { GuardArming } from './guard-arming.js';

const DECISION = { id: 'wd-1' } as Decision;
const guarded = (rules: string, reliedUpon = true): GuardedFunction => ({
  device: '0000:01:00.0' as Bdf,
  mode: 'enforce',
  rules,
  reliedUpon,
  unplaced: [],
});

function arming(devices: GuardedFunction[], ready = true) {
  const applied: GuardRules[][] = [];
  let fault: Error | undefined;
  const sut = new GuardArming({
    program: {
      apply: (rules) => {
        if (fault) throw fault;
        applied.push([...rules]);
      },
    },
    ready: () => ready,
    rulesOf: () => devices,
    onArmed: () => {},
  });
  return { sut, applied, break: (error: Error) => (fault = error) };
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
