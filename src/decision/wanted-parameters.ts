import type { WantedParameters } from '../host/vfio-parameters/parameter-plan.js';
import { COVERAGE } from '../mitigation/coverage.js';
import { needsReadsAlone, needsWrites } from '../mitigation/driver-needs.js';
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
  const judged = new Map<string, Judged>();
  for (const fn of basis.inventory.functions) {
    if (fn.class.startsWith(BRIDGE)) continue;
    const id = `${fn.vendor}:${fn.device}`;
    // Functions of the same ids cannot be told apart by the list: one that must stay open keeps all of them open.
    const known = judged.get(id);
    if (known?.open !== undefined) continue;
    const { open, blockRead } = judge(fn, policy, basis);
    judged.set(id, { open, blockRead: blockRead && (known?.blockRead ?? true) });
  }
  const ids = [...judged].toSorted(([a], [b]) => (a < b ? -1 : 1));
  const closed = ids.filter(([, { open }]) => open === undefined);
  if (closed.length === 0) return undefined;
  return {
    block: closed.map(([id]) => id),
    blockRead: closed.every(([, { blockRead }]) => blockRead),
    allow: ids.flatMap(([id, { open }]) => (open === undefined ? [] : [{ id, reason: open }])),
  };
}

interface Judged {
  /** Why its unassigned bytes must stay open; undefined where they are to be closed. */
  open: string | undefined;
  /** Whether they are to be closed to reads, too. */
  blockRead: boolean;
}

function judge(fn: PciFunction, policy: PolicyInForce, { risks }: DecisionBasis): Judged {
  const { findings, needs } = assessFunction(fn, risks);
  const knownBy = new Set(findings.flatMap(({ risk }) => (risk ? [risk.knownBy] : [])));
  const { rules, always, exemptions } = policy.mayConcern({ source: fn.bdf, function: fn, knownBy });
  const closes = (placed: PlacedRule) =>
    asksFor(placed, policy) ? [...requiredExposures(placed, { findings })].filter(closedByParameters) : [];
  const stays = (open: string): Judged => ({ open, blockRead: false });
  const lenient = rules.find((placed) => closes(placed).length === 0);
  if (lenient) return stays(`rule ${lenient.rule.name} of policy ${lenient.policy} does not ask for them`);
  if (!always) return stays('no rule speaks of it in every domain');
  const need = needs.find(needsWrites);
  if (need) return stays(`${need.summary} (${need.entry})`);
  const asked = new Set(rules.flatMap(closes));
  const exemption = exemptions.find(({ exposures }) => exposures?.some((each) => asked.has(each)) ?? true);
  if (exemption) return stays(`exempt by ${exemption.name} until ${exemption.expires}`);
  const blockRead =
    rules.every(({ rule }) => rule.unassignedReads === 'block') && !needs.some(needsReadsAlone);
  return { open: undefined, blockRead };
}

function asksFor(placed: PlacedRule, policy: PolicyInForce): boolean {
  return (
    policy.modeOf(placed).mode === 'enforce' && (placed.rule.mitigations ?? []).includes('kernel-parameters')
  );
}

function closedByParameters(exposure: Exposure): boolean {
  return exposure !== 'config-mirror-in-bar' && COVERAGE[exposure]['kernel-parameters'] === 'yes';
}
