import { layoutOf } from '../pci/config-space/layout.js';
import type { Bdf } from '../pci/bdf.js';
import type { Inventory } from '../pci/inventory.js';
import type { PciFunction } from '../pci/pci-function.js';
import { planAccessRules } from '../mitigation/access-rules/plan-access-rules.js';
import { renderRules } from '../mitigation/access-rules/render-rules.js';
import type { MirrorWindow } from '../mitigation/access-rules/exposure-rules.js';
import type { Mode } from '../policy/policy-terms.js';
import type { Exposure } from '../risk/exposure.js';
import type { RiskDatabase } from '../risk/risk-database.js';
import type { Decision } from './decision.js';

/** What the kernel guard is given for one function of a domain. */
export interface GuardedFunction {
  device: Bdf;
  mode: Mode;
  /** Text form. */
  rules: string;
  /** Whether the plan relies on the guard: without it the domain lacks what policy asks for. */
  reliedUpon: boolean;
  /** Exposures that the plan closes by the guard, but whose registers are not known: they stay open. */
  unplaced: Exposure[];
}

/**
 * The guard's rules for each function that a decision assigns. A function for which the plan does not use the guard gets
 * rules that let everything pass, since without any the host's standard would hold.
 */
export function guardRulesOf(
  decision: Decision,
  inventory: Inventory,
  risks: RiskDatabase,
): GuardedFunction[] {
  return decision.devices
    .filter(({ carrier, source }) => source !== undefined && carrier !== 'mdev' && carrier !== 'nvme-disk')
    .map(({ source, mode, plan }) => {
      const fn = inventory.get(source as Bdf);
      const planned = plan.mechanisms.find(({ name }) => name === 'kernel-guard');
      const { rules, unplaced } = planAccessRules({
        layout: fn && layoutFor(fn),
        closes: planned?.closes ?? [],
        exempt: planned?.exempt ?? [],
        unassignedReads: planned?.reads?.length ? 'block' : 'allow',
        mirrors: fn ? trappedMirrors(fn, risks) : [],
      });
      return {
        device: source as Bdf,
        mode,
        rules: renderRules(rules),
        reliedUpon: planned !== undefined && mode === 'enforce',
        unplaced,
      };
    });
}

function layoutFor({ configSpace, configSize }: PciFunction) {
  return configSpace && layoutOf(configSpace, configSize === undefined ? {} : { configSize });
}

function trappedMirrors(fn: PciFunction, risks: RiskDatabase): MirrorWindow[] {
  return risks.assess(fn).mirrors.filter(({ trappedByQemu }) => trappedByQemu === 'always');
}
