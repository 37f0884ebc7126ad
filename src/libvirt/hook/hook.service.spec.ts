import { describe, expect, it } from 'vitest';
import { decideAbout, domain, hostdev, policyOf } from '../../../test/fixtures/scenario.js';
import { CLOSE_EXTENDED, judgingService, OR_DENY } from '../../../test/hook/judging-service.js';
import type { HookAnswer } from './hook-answer.js';

const NVME = '0000:81:00.0';
const PLAIN = domain("<interface type='network'><source network='default'/></interface>");
const BARE = domain(hostdev(NVME));
const RESTRICTED = decideAbout(BARE, { policy: policyOf(CLOSE_EXTENDED) }).xml;
const UNREADABLE = BARE.replace('</domain>', '');

function reasonOf(answer: HookAnswer): string {
  if (answer.action !== 'veto') throw new Error(`expected a veto, not ${answer.action}`);
  return answer.reason;
}

describe('a domain that starts', () => {
  it('goes on with what policy asks for, which is seen, not believed', () => {
    const { service, records, events } = judgingService();
    expect(service.judge({ operation: 'prepare', xml: RESTRICTED })).toMatchObject({ action: 'proceed' });
    expect(records).toMatchObject([
      {
        host: 'node-1',
        occasion: { surface: 'hook', operation: 'prepare' },
        decision: { verdict: 'restricted' },
      },
    ]);
    expect(events).toEqual([]);
    const onlyMarked = BARE.replace(
      '<devices>',
      `${/<metadata>.*<\/metadata>/s.exec(RESTRICTED)![0]}<devices>`,
    );
    expect(service.judge({ operation: 'prepare', xml: onlyMarked }).action).toBe('veto');
  });

  it('leaves word of where its guest finds its devices, for when it runs', () => {
    const { service, starts } = judgingService();
    const uuid = '5d0f1c52-3a3f-4b0e-9a55-2f6f0f9b7c21';
    const xml = RESTRICTED.replace('</name>', `</name><uuid>${uuid}</uuid>`);
    expect(service.judge({ operation: 'prepare', xml }).action).toBe('proceed');
    expect(starts.places.take(uuid)).toBeUndefined();
    expect(service.judge({ operation: 'start', xml }).action).toBe('proceed');
    expect(starts.places.take(uuid)).toEqual({ devices: [NVME], restricted: [NVME] });
  });

  it('is stopped when it went around the proxy, and told what it lacks and how to get it', () => {
    const { service, records, events } = judgingService();
    const reason = reasonOf(service.judge({ operation: 'prepare', xml: BARE }));
    const { id } = records[0]!.decision;
    expect(reason).toContain(`decision ${id} (wardenctl explain ${id})`);
    expect(reason).toContain(`${NVME} needs conventional-bus to close unassigned-extended`);
    expect(reason).toContain(
      "virsh -c 'qemu+unix:///system?socket=/run/vfio-warden/libvirt-sock' define FILE",
    );
    expect(events).toEqual([
      {
        host: 'node-1',
        at: '2026-11-23T12:00:00.000Z',
        kind: 'vetoed',
        decisionId: id,
        domainName: 'vm',
        detail: reason,
      },
    ]);
  });

  it('goes on all the same where the hook fails open, which is told once', () => {
    const { service, events } = judgingService({ options: { failure: 'open' } });
    expect(service.judge({ operation: 'prepare', xml: BARE })).toMatchObject({ action: 'proceed' });
    expect(service.judge({ operation: 'start', xml: BARE })).toMatchObject({ action: 'proceed' });
    expect(events).toMatchObject([{ kind: 'started-unprotected', domainName: 'vm' }]);
  });

  it('is stopped when policy refuses it, however the hook fails', () => {
    const past = { state: 'has-run' as const, ranRestricted: [] };
    const { service } = judgingService({ rule: OR_DENY, options: { failure: 'open' }, past });
    const reason = reasonOf(service.judge({ operation: 'prepare', xml: BARE }));
    expect(reason).toContain(
      'policy refuses this domain: 0000:81:00.0: unassigned-extended stays open (rule close',
    );
  });

  it('goes on once it has run, where policy changes guest hardware before the first run only', () => {
    const { service } = judgingService({ past: { state: 'has-run', ranRestricted: [] } });
    expect(service.judge({ operation: 'start', xml: BARE })).toMatchObject({ action: 'proceed' });
  });

  it.each(['off', 'observe'] as const)('is never stopped with the switch at %s', (hostMode) => {
    const { service, events } = judgingService({ rule: OR_DENY, basis: { hostMode } });
    for (const operation of ['prepare', 'start', 'migrate', 'restore'] as const) {
      expect(service.judge({ operation, xml: BARE })).toMatchObject({ action: 'proceed' });
    }
    expect(service.judge({ operation: 'prepare', xml: UNREADABLE })).toMatchObject({ action: 'proceed' });
    expect(events).toMatchObject([{ kind: 'failed-open' }]);
  });

  it('is judged at start by the function that a network gave it', () => {
    const { service } = judgingService();
    expect(service.judge({ operation: 'prepare', xml: PLAIN })).toMatchObject({ action: 'proceed' });
    const address = "<address type='pci' domain='0x0000' bus='0x5e' slot='0x00' function='0x0'/>";
    const given = domain(`<interface type='hostdev' managed='yes'><source>${address}</source></interface>`);
    expect(reasonOf(service.judge({ operation: 'start', xml: given }))).toContain('0000:5e:00.0');
  });
});

describe('a domain that comes in', () => {
  it.each(['migrate', 'restore'] as const)(
    'keeps its hardware at %s and at the start after it',
    (operation) => {
      const { service, events } = judgingService();
      for (const step of [operation, 'prepare', 'start'] as const) {
        expect(service.judge({ operation: step, xml: BARE })).toMatchObject({ action: 'proceed' });
      }
      expect(events).toMatchObject([
        { kind: 'started-unprotected', detail: '0000:81:00.0: unassigned-extended stays open' },
      ]);
    },
  );

  it('is an ordinary one again at its next start, or when it never came', () => {
    const { service, pass } = judgingService();
    for (const operation of ['restore', 'prepare', 'start'] as const) service.judge({ operation, xml: BARE });
    expect(service.judge({ operation: 'prepare', xml: BARE }).action).toBe('veto');
    service.judge({ operation: 'restore', xml: BARE });
    pass(30_000);
    expect(service.judge({ operation: 'prepare', xml: BARE }).action).toBe('veto');
  });

  it('is refused where it cannot be protected here and the host refuses such', () => {
    const { service } = judgingService({ options: { incoming: 'refuse' } });
    expect(reasonOf(service.judge({ operation: 'migrate', xml: BARE }))).toContain(
      'cannot be protected here',
    );
    expect(service.judge({ operation: 'migrate', xml: RESTRICTED })).toMatchObject({ action: 'proceed' });
  });

  it('is refused where policy denies it', () => {
    const { service, events } = judgingService({ rule: OR_DENY });
    expect(service.judge({ operation: 'migrate', xml: BARE }).action).toBe('veto');
    expect(service.judge({ operation: 'restore', xml: BARE }).action).toBe('veto');
    expect(events.map(({ kind }) => kind)).toEqual(['vetoed', 'vetoed']);
  });
});

describe('a document that cannot be judged', () => {
  it('stops a domain with assigned devices, or lets it go, as configured; both are recorded', () => {
    const closed = judgingService();
    expect(reasonOf(closed.service.judge({ operation: 'prepare', xml: UNREADABLE }))).toContain(
      'cannot be judged',
    );
    expect(closed.events).toMatchObject([{ kind: 'failed-closed' }]);
    const open = judgingService({ options: { failure: 'open' } });
    expect(open.service.judge({ operation: 'prepare', xml: UNREADABLE })).toMatchObject({
      action: 'proceed',
    });
    expect(open.events).toMatchObject([{ kind: 'failed-open' }]);
  });

  it('never stops a domain without', () => {
    const { service, events } = judgingService();
    for (const xml of [PLAIN.replace('</domain>', ''), '', '<!DOCTYPE x>', '<network/>']) {
      expect(service.judge({ operation: 'start', xml })).toMatchObject({ action: 'proceed' });
    }
    expect(events).toEqual([]);
  });

  it('is told in one line that cannot steer a terminal', () => {
    const { service } = judgingService();
    const xml = `${hostdev(NVME)}\u009b2J\n\u202e${'x'.repeat(5000)}`;
    const reason = reasonOf(service.judge({ operation: 'prepare', xml }));
    expect(reason.length).toBeLessThanOrEqual(1000);
    expect(reason).toMatch(/^[^\p{Cc}\p{Cf}]+$/u);
  });
});
