import 'reflect-metadata';
import { describe, expect, it } from 'vitest';
import { decideAbout, domain, hostdev, risksOf } from '../../test/fixtures/scenario.js';
import { loadPolicies } from '../policy/policy-loader.js';
import { explain } from './explanation.js';

const POLICY = `apiVersion: vfio-warden.dev/v1
kind: Policy
metadata: { name: test }
spec:
  rules:
    - name: close
      mode: enforce
      require: [unassigned-extended, unassigned-legacy]
      mitigations: [conventional-bus]
      topologyChange: always
`;
const exemption = (exposures = '') => `apiVersion: vfio-warden.dev/v1
kind: Exemption
metadata: { name: burn-in }
spec:
  match: { devices: [{ bdf: '0000:81:00.0' }] }
  ${exposures}
  reason: vendor tool needs the registers
  owner: storage team
  ticket: OPS-4711
  from: 2026-11-26
  expires: 2026-12-26
`;

function decideAt(evaluatedAt: string, exposures?: string) {
  const policy = loadPolicies([
    { file: 'policy.yaml', text: POLICY },
    { file: 'exemption.yaml', text: exemption(exposures) },
  ]);
  return decideAbout(domain(hostdev('0000:81:00.0')), { policy, risks: risksOf(), evaluatedAt });
}

describe('an exemption', () => {
  it('leaves the domain as it is while it holds, and the decision says by whose word', () => {
    const { decision, xml } = decideAt('2026-12-01T00:00:00.000Z');
    expect(decision.verdict).toBe('exempt');
    expect(xml).toBe(domain(hostdev('0000:81:00.0')));
    expect(decision.devices[0]!.exemptions).toEqual([
      {
        name: 'burn-in',
        file: 'exemption.yaml',
        reason: 'vendor tool needs the registers',
        owner: 'storage team',
        ticket: 'OPS-4711',
        expires: '2026-12-26',
        spares: ['unassigned-extended', 'unassigned-legacy'],
      },
    ]);
    const text = explain(decision);
    expect(text).toContain('until 2026-12-26, by burn-in (exemption.yaml; storage team, OPS-4711)');
    expect(text).toContain('exempt by burn-in until 2026-12-26');
  });

  it('ends by itself', () => {
    const before = decideAt('2026-12-25T23:59:59.999Z').decision;
    const after = decideAt('2026-12-26T00:00:00.000Z').decision;
    expect(before.verdict).toBe('exempt');
    expect(after.verdict).toBe('restricted');
    expect(after.devices[0]).not.toHaveProperty('exemptions');
    expect(after.inputs.policyInForce).not.toBe(before.inputs.policyInForce);
  });

  it('spares only what it names', () => {
    const { decision } = decideAt('2026-12-01T00:00:00.000Z', 'exposures: [unassigned-legacy]');
    expect(decision.verdict).toBe('restricted');
    expect(decision.devices[0]!.required).toEqual(['unassigned-extended']);
    expect(decision.devices[0]!.plan.residual).toContainEqual(
      expect.objectContaining({
        exposure: 'unassigned-legacy',
        reason: 'exempt by burn-in until 2026-12-26',
      }),
    );
  });
});
