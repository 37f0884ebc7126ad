import type { WantedParameters } from '../host/vfio-parameters/parameter-plan.js';
import { COVERAGE } from '../mitigation/coverage.js';
import { needsWrites } from '../mitigation/device-plan.js';
import type { PciFunction } from '../pci/pci-function.js';
import { policyInForce, type PolicyInForce } from '../policy/policy-in-force.js';
import type { PlacedRule } from '../policy/policy-set.js';
import type { Exposure } from '../risk/exposure.js';
import { assessFunction } from './assess.js';
import type { DecisionBasis } from './decision.service.js';
import { requiredExposures } from './judge-device.js';

/** Bridges are not given to guests (vfio's `vfio_pci_core` refuses header types other than 0). */
const BRIDGE = '06';

/**
 * The parameters act on every device of the host that is not in their list, whichever domain has it. So a device is closed
 * only where all that may decide about it asks for that; any other is put into the list: one that a rule leaves open for some
 * domain, one that an exemption spares, one whose driver needs what would be closed.
 *
 * @param at ISO 8601, UTC
 * @returns undefined where nothing is to be closed: then the host is left as it is
 */
export function wantedParameters(basis: DecisionBasis, at: string): WantedParameters | undefined {
  if (basis.hostMode !== 'enforce') return undefined;
  const policy = policyInForce(basis.policy, basis.node ?? { name: '', labels: [] }, at);
  const reasons = new Map<string, string | undefined>();
  for (const fn of basis.inventory.functions) {
    if (fn.class.startsWith(BRIDGE)) continue;
    const id = `${fn.vendor}:${fn.device}`;
    const reason = whyOpen(fn, policy, basis);
    // Functions of the same ids cannot be told apart by the list.
    if (reason !== undefined || !reasons.has(id)) reasons.set(id, reasons.get(id) ?? reason);
  }
  const ids = [...reasons].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const block = ids.filter(([, reason]) => reason === undefined).map(([id]) => id);
  if (block.length === 0) return undefined;
  return { block, allow: ids.flatMap(([id, reason]) => (reason === undefined ? [] : [{ id, reason }])) };
}

/** Why a function's unassigned bytes must stay open; undefined where they are to be closed. */
function whyOpen(fn: PciFunction, policy: PolicyInForce, { risks }: DecisionBasis): string | undefined {
  const { findings, needs } = assessFunction(fn, risks);
  const knownBy = new Set(findings.flatMap(({ risk }) => (risk ? [risk.knownBy] : [])));
  const { rules, always, exemptions } = policy.mayConcern({ source: fn.bdf, function: fn, knownBy });
  const closes = (placed: PlacedRule) =>
    asksFor(placed, policy) ? [...requiredExposures(placed, { findings })].filter(closedByParameters) : [];
  const lenient = rules.find((placed) => closes(placed).length === 0);
  if (lenient) return `rule ${lenient.rule.name} of policy ${lenient.policy} does not ask for them`;
  if (!always) return 'no rule speaks of it in every domain';
  const need = needs.find(needsWrites);
  if (need) return `${need.summary} (${need.entry})`;
  const asked = new Set(rules.flatMap(closes));
  const exemption = exemptions.find(({ exposures }) => exposures?.some((each) => asked.has(each)) ?? true);
  return exemption && `exempt by ${exemption.name} until ${exemption.expires}`;
}

function asksFor(placed: PlacedRule, policy: PolicyInForce): boolean {
  return (
    policy.modeOf(placed).mode === 'enforce' && (placed.rule.mitigations ?? []).includes('kernel-parameters')
  );
}

function closedByParameters(exposure: Exposure): boolean {
  return exposure !== 'config-mirror-in-bar' && COVERAGE[exposure]['kernel-parameters'] === 'yes';
}
