import { describe, expect, it } from 'vitest';
import { GUARDED_HOST, PARAMETER_HOST } from '../../test/fixtures/hosts.js';
import {
  decideAbout,
  domain,
  hostdev,
  NODE_INVENTORY,
  policyOf,
  risksOf,
} from '../../test/fixtures/scenario.js';
import type { HostCapabilities } from '../host/host-capabilities.js';
import { explain } from './explanation.js';
import { guardRulesOf } from './guard-rules.js';

const NVME = '0000:81:00.0';
const ruleWith = (more: string, exposures = 'unassigned-extended, unassigned-legacy') =>
  `{ name: close, mode: enforce, require: [${exposures}], mitigations: [kernel-guard, kernel-parameters]${more} }`;
const BLOCK = ', unassignedReads: block';

const decideBy = (rule: string, host: HostCapabilities, risks = risksOf()) =>
  decideAbout(domain(hostdev(NVME)), { policy: policyOf(rule), host, risks }).decision;
const guardRules = (rule: string, risks = risksOf()) =>
  guardRulesOf(decideBy(rule, GUARDED_HOST, risks), NODE_INVENTORY, risks)[0]!.rules;

describe('reads of unassigned config space', () => {
  it('pass where policy does not speak of them', () => {
    expect(guardRules(ruleWith(''))).toBe('unassigned:w:block;unassigned:r:allow');
    expect(guardRules(ruleWith(', unassignedReads: allow'))).toBe(guardRules(ruleWith('')));
  });

  it('are closed with writes where policy says so', () => {
    expect(guardRules(ruleWith(BLOCK))).toBe('unassigned:rw:block');
    expect(explain(decideBy(ruleWith(BLOCK), GUARDED_HOST))).toContain(
      'to reads, too: unassigned-extended, unassigned-legacy',
    );
  });

  it('stay open where writes do', () => {
    expect(guardRules(ruleWith(BLOCK, 'unassigned-extended'))).toBe('unassigned:rw:block;cfg:0-ff:rw:allow');
  });

  it('stay open for a driver that reads there, and the explanation says so', () => {
    const { vendor, device } = NODE_INVENTORY.get(NVME as never)!;
    const risks = risksOf(
      `id: reads-it, match: [{ vendor: "${vendor}", device: ["${device}"] }], exposures: [unassigned-legacy], ` +
        'effect: compatibility, severity: info, confidence: confirmed, summary: its driver reads there, needs: [{ registers: [0x68-0x6b], access: [read], by: [guest] }]',
    );
    expect(guardRules(ruleWith(BLOCK), risks)).toBe('unassigned:w:block;unassigned:r:allow');
    expect(explain(decideBy(ruleWith(BLOCK), GUARDED_HOST, risks))).toContain(
      "to reads (asked for by the rule): the device's driver reads there: its driver reads there (reads-it)",
    );
  });

  it('are closed by the parameters where block_pci_unassigned_read is Y on this host, and stay open otherwise', () => {
    const { kernelParameters } = PARAMETER_HOST;
    const open = decideBy(ruleWith(BLOCK), PARAMETER_HOST).devices[0]!.plan;
    expect(open.mechanisms).toMatchObject([{ name: 'kernel-parameters', reads: [] }]);
    expect(open.openReads!.exposures).toContain('unassigned-extended');
    const host = { ...PARAMETER_HOST, kernelParameters: { ...kernelParameters, blockRead: true as const } };
    const { openReads, mechanisms } = decideBy(ruleWith(BLOCK), host).devices[0]!.plan;
    expect(openReads).toBeUndefined();
    expect(mechanisms[0]!.reads).toContain('unassigned-extended');
  });
});
