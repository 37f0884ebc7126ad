import { describe, expect, it } from 'vitest';
import { decideAbout, domain, hostdev, policyOf } from '../../test/fixtures/scenario.js';
import { planUndo, type EditedDomain, type KnownPast } from './undo-plan.js';

const POLICY = policyOf(
  '{ name: all, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: always, uncovered: warn }',
);
const ORIGINAL = domain(hostdev('0000:81:00.0'));
const EDITED = decideAbout(ORIGINAL, { policy: POLICY }).xml;

const IDLE: EditedDomain = { name: 'vm', uuid: 'u', running: false, managedSave: false, xml: EDITED };
const NEVER_RAN: KnownPast = { state: 'new', ranRestricted: [] };
const RAN_BEFORE_THE_EDIT: KnownPast = { state: 'has-run', ranRestricted: [] };
const RAN_WITH_IT: KnownPast = { state: 'has-run', ranRestricted: ['0000:81:00.0'] };

describe('planning to take edits back', () => {
  it.each([
    ['never ran', NEVER_RAN],
    ['ran before the edit only', RAN_BEFORE_THE_EDIT],
  ])('takes them back where the guest %s', (_, past) => {
    expect(planUndo(IDLE, past, false)).toMatchObject({
      action: 'undo',
      xml: expect.not.stringMatching(/pcie-to-pci-bridge|vfio-warden/),
      steps: [
        expect.stringMatching(/^hostdev 0000:81:00\.0 leaves guest address /),
        expect.stringMatching(/^pcie-to-pci-bridge \d+ is removed/),
        'our metadata is removed',
      ],
    });
  });

  it.each([
    ['runs', { ...IDLE, running: true }, NEVER_RAN, /it runs with/],
    ['has a saved memory', { ...IDLE, managedSave: true }, NEVER_RAN, /saved memory/],
    ['ran with them', IDLE, RAN_WITH_IT, /has run with/],
    ['is not known to the service', IDLE, undefined, /the service does not say/],
    ['has an unknown past', IDLE, { state: 'unknown', ranRestricted: [] } as const, /not known whether/],
  ])('leaves them to a decision where the domain %s, unless forced', (_, edited, past, reason) => {
    expect(planUndo(edited, past, false)).toMatchObject({
      action: 'keep',
      forceable: true,
      reason: expect.stringMatching(reason),
    });
    expect(planUndo(edited, past, true)).toMatchObject({ action: 'undo' });
  });

  it('has nothing to do for a domain without edits, or without a next start', () => {
    expect(planUndo({ ...IDLE, xml: ORIGINAL }, undefined, false)).toMatchObject({ action: 'untouched' });
    const transient: EditedDomain = { name: 'vm', uuid: 'u', running: true, managedSave: false };
    expect(planUndo(transient, undefined, false)).toMatchObject({ action: 'untouched' });
  });

  it('says so where no force helps', () => {
    const damaged = EDITED.replace(/<warden:undo>[^<]*/, '<warden:undo>');
    expect(planUndo({ ...IDLE, xml: damaged }, NEVER_RAN, true)).toMatchObject({
      action: 'keep',
      forceable: false,
    });
  });
});
