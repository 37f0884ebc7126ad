import { describe, expect, it } from 'vitest';
import { STOCK_HOST } from '../../test/fixtures/hosts.js';
import { NODE_INVENTORY, policyOf, risksOf } from '../../test/fixtures/scenario.js';
import type { DecisionBasis } from './decision.service.js';
import { wantedParameters } from './wanted-parameters.js';

const AT = '2026-11-26T08:00:00.000Z';
const ENFORCE =
  'mode: enforce, require: [unassigned-extended, unassigned-legacy], mitigations: [kernel-parameters]';
const NVME = NODE_INVENTORY.functions.find(({ class: code }) => code.startsWith('0108'))!;
const NVME_ID = `${NVME.vendor}:${NVME.device}`;

const wanted = (given: Partial<DecisionBasis> & Pick<DecisionBasis, 'policy'>) =>
  wantedParameters(
    { inventory: NODE_INVENTORY, host: STOCK_HOST, risks: risksOf(), hostMode: 'enforce', ...given },
    AT,
  );

const reasonFor = (id: string, given: Parameters<typeof wanted>[0]) =>
  wanted(given)?.allow.find((entry) => entry.id === id)?.reason;

describe('the parameters that policy asks for on a host', () => {
  it('close every device but bridges where one rule speaks of all', () => {
    const { block, allow } = wanted({ policy: policyOf(`{ name: all, ${ENFORCE} }`) })!;
    expect(block).toContain(NVME_ID);
    expect(allow).toEqual([]);
    const bridges = NODE_INVENTORY.functions.filter(({ class: code }) => code.startsWith('06'));
    for (const { vendor, device } of bridges) expect(block).not.toContain(`${vendor}:${device}`);
  });

  it('close a class, and leave the others as they are', () => {
    const policy = policyOf(
      `{ name: storage, match: { devices: [{ class: "01" }] }, ${ENFORCE} }`,
      '{ name: rest, mode: observe, require: [unassigned-extended], mitigations: [kernel-parameters] }',
    );
    const { block, allow } = wanted({ policy })!;
    expect(block).toEqual([NVME_ID]);
    expect(allow.length).toBeGreaterThan(0);
    expect(new Set(allow.map(({ reason }) => reason))).toEqual(
      new Set(['rule rest of policy test does not ask for them']),
    );
  });

  it.each([
    ['observes', 'mode: observe, require: [unassigned-extended], mitigations: [kernel-parameters]'],
    ['does not allow the parameters', 'mode: enforce, require: [unassigned-extended], mitigations: [i440fx]'],
    ['asks for nothing that they close', 'mode: enforce, require: [reset], mitigations: [kernel-parameters]'],
  ])('leave a device as it is where a rule for some domain %s', (_, rule) => {
    const policy = policyOf(
      `{ name: some, match: { devices: [{ class: "01" }], domains: [{ name: "db-*" }] }, ${rule} }`,
      `{ name: all, ${ENFORCE} }`,
    );
    expect(reasonFor(NVME_ID, { policy })).toBe('rule some of policy test does not ask for them');
  });

  it('leave a device as it is that no rule speaks of in some domains', () => {
    const policy = policyOf(
      `{ name: nics, match: { devices: [{ class: "02" }] }, ${ENFORCE} }`,
      `{ name: some, match: { domains: [{ name: "db-*" }] }, ${ENFORCE} }`,
    );
    expect(reasonFor(NVME_ID, { policy })).toBe('no rule speaks of it in every domain');
  });

  it('leave a device as it is whose driver needs its registers', () => {
    const risks = risksOf(
      `id: needs-it, match: [{ vendor: "${NVME.vendor}", device: ["${NVME.device}"] }], exposures: [unassigned-legacy], ` +
        'effect: compatibility, severity: info, confidence: confirmed, summary: its driver writes there, needs: [{ registers: [0x68-0x6b], access: [read, write], by: [guest] }]',
    );
    expect(reasonFor(NVME_ID, { policy: policyOf(`{ name: all, ${ENFORCE} }`), risks })).toBe(
      'its driver writes there (needs-it)',
    );
  });

  it('leave a device as it is for as long as an exemption spares it', () => {
    const policy = {
      ...policyOf(`{ name: all, ${ENFORCE} }`),
      exemptions: [
        {
          name: 'firmware-update',
          file: 'test.yaml',
          reason: 'update',
          owner: 'storage',
          ticket: 'T-1',
          from: '2026-11-26T07:00:00Z',
          expires: '2026-11-26T09:00:00Z',
          match: { devices: [{ class: '01' }] },
        },
      ],
    };
    expect(reasonFor(NVME_ID, { policy })).toBe('exempt by firmware-update until 2026-11-26T09:00:00Z');
    expect(wantedParameters({ ...basis(policy) }, '2026-11-26T09:00:00.000Z')?.block).toContain(NVME_ID);
  });

  it('close reads, too, where every rule asks for that', () => {
    const both = `{ name: all, ${ENFORCE}, unassignedReads: block }`;
    expect(wanted({ policy: policyOf(both) })).toMatchObject({ blockRead: true });
    const some = `{ name: nics, match: { devices: [{ class: "02" }] }, ${ENFORCE} }`;
    expect(wanted({ policy: policyOf(some, both) })).toMatchObject({ blockRead: false });
  });

  it('leave reads open for a driver that reads', () => {
    const risks = risksOf(
      `id: reads-it, match: [{ vendor: "${NVME.vendor}", device: ["${NVME.device}"] }], exposures: [unassigned-legacy], ` +
        'effect: compatibility, severity: info, confidence: confirmed, summary: its driver reads there, needs: [{ registers: [0x68-0x6b], access: [read], by: [guest] }]',
    );
    const policy = policyOf(`{ name: all, ${ENFORCE}, unassignedReads: block }`);
    expect(wanted({ policy, risks })).toMatchObject({ blockRead: false });
    expect(wanted({ policy, risks })!.block).toContain(NVME_ID);
  });

  it.each(['off', 'observe'] as const)('are none while the switch of the host is at %s', (hostMode) => {
    expect(wanted({ policy: policyOf(`{ name: all, ${ENFORCE} }`), hostMode })).toBeUndefined();
  });

  it('are none where no rule asks for them', () => {
    expect(wanted({ policy: policyOf('{ name: all, mode: off }') })).toBeUndefined();
  });
});

function basis(policy: DecisionBasis['policy']): DecisionBasis {
  return { inventory: NODE_INVENTORY, host: STOCK_HOST, risks: risksOf(), hostMode: 'enforce', policy };
}
