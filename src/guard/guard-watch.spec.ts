import { describe, expect, it } from 'vitest';
import type { Decision } from '../decision/decision.js';
import type { GuardedFunction } from '../decision/guard-rules.js';
import type { GuardStatus } from '../host/guard/guard-status.js';
import type { Bdf } from '../pci/bdf.js';
import type { DomainRecord, EventRecord } from '../store/records.js';
import { GuardWatch } from './guard-watch.js';

const BDF = '0000:01:00.0' as Bdf;
const DECISION = { id: 'wd-1', domain: { name: 'vm1', uuid: 'u1' } } as Decision;
const FUNCTION: GuardedFunction = {
  device: BDF,
  mode: 'enforce',
  rules: 'unassigned:w:block',
  reliedUpon: true,
  unplaced: [],
};

/** A guard in the kernel that can be taken away, and a clock. */
function host() {
  const status: GuardStatus = { attached: true, tested: true, missing: [], program: 'a1', devices: [] };
  const events: EventRecord[] = [];
  const counted: string[] = [];
  const state = { now: 1_000_000, attachFails: '', attachments: 0, gaps: 0, forgotten: 0 };
  const domain = { uuid: 'u1', name: 'vm1', active: true, devices: [BDF], decisionId: 'wd-1' };
  const sut = new GuardWatch({
    program: {
      attach: async () => {
        if (state.attachFails) throw new Error(state.attachFails);
        state.attachments += 1;
        Object.assign(status, { attached: true, tested: true });
        return 'now';
      },
      status: async () => structuredClone(status),
      setMode: async (mode) => void (status.mode = mode),
    },
    registry: { all: () => [domain as unknown as DomainRecord].values() },
    journal: { event: (event) => void events.push(event) },
    host: 'node1',
    hostMode: () => 'enforce',
    onProbe: () => {},
    onAttached: () => void (state.forgotten += 1),
    onGap: () => void (state.gaps += 1),
    counts: (device, outcome, accesses) => void counted.push(`${device} ${outcome} ${accesses}`),
    log: { info: () => {}, warn: () => {}, error: () => {} },
    clock: () => new Date(state.now),
  });
  const told = () => events.map(({ kind, domainName, decisionId }) => [kind, domainName, decisionId]);
  return { sut, status, events, told, counted, state };
}

const seen = (judged: number, blocked: number, lastAt: number) => ({
  device: BDF,
  judged,
  blocked,
  observed: 0,
  unjudged: 0,
  lastAt,
});

describe('watching the kernel guard', () => {
  it('says armed at once, and verified only when the device was accessed since', async () => {
    const { sut, status, told, state } = host();
    status.devices = [seen(50, 0, state.now - 1)];
    sut.arm(DECISION, [FUNCTION]);
    await sut.look();
    expect(told()).toEqual([['armed', 'vm1', 'wd-1']]);
    status.devices = [seen(51, 0, state.now + 5)];
    await sut.look();
    await sut.look();
    expect(told()).toEqual([
      ['armed', 'vm1', 'wd-1'],
      ['verified', 'vm1', 'wd-1'],
    ]);
  });

  it('tells what a domain was kept from, once', async () => {
    const { sut, status, told, counted, state } = host();
    status.devices = [seen(10, 3, state.now)];
    await sut.look();
    status.devices = [seen(60, 40, state.now)];
    await sut.look();
    await sut.look();
    expect(counted).toEqual([`${BDF} blocked 37`]);
    expect(told()).toEqual([['access-blocked', 'vm1', 'wd-1']]);
  });

  it('attaches a guard that is gone, and records the gap for the domains that it protected', async () => {
    const { sut, status, events, told, state } = host();
    sut.arm(DECISION, [FUNCTION]);
    await sut.look();
    Object.assign(status, { attached: false, tested: false, missing: ['link_access'] });
    state.now += 3000;
    await sut.look();
    expect(sut.ready).toBe(true);
    expect(told().at(-1)).toEqual(['guard-gap', 'vm1', 'wd-1']);
    expect(events.at(-1)!.detail).toContain('between 1970-01-01T00:16:40.000Z and 1970-01-01T00:16:43.000Z');
    expect(state).toMatchObject({ attachments: 1, gaps: 1, forgotten: 1 });
  });

  it('is not ready where it cannot attach, and says why', async () => {
    const { sut, status, state } = host();
    Object.assign(status, { attached: false, tested: false, missing: ['link_access'] });
    state.attachFails = 'load: the kernel did not take the program';
    await sut.look();
    expect(sut.ready).toBe(false);
    expect(sut.found).toEqual({
      state: 'absent',
      detail:
        'the kernel guard is not attached (link_access missing): load: the kernel did not take the program',
    });
    state.attachFails = '';
    await sut.look();
    expect(sut.found).toMatchObject({ state: 'ready' });
  });

  it('tells that a domain gave a function up, once', () => {
    const { sut, told } = host();
    sut.arm(DECISION, [FUNCTION]);
    sut.disarm([BDF]);
    sut.disarm([BDF]);
    expect(told()).toEqual([
      ['armed', 'vm1', 'wd-1'],
      ['released', 'vm1', 'wd-1'],
    ]);
  });

  it('turns the guard with the switch, and does not rely on one that is off', async () => {
    const { sut, status } = host();
    await sut.look();
    await sut.follow('off');
    expect(status.mode).toBe('off');
    expect(sut.found.detail).toContain('switched off');
  });
});
