import { rulesInForce } from '../../domain-xml/qemu-filter.js';
import { filterEdits } from '../../domain-xml/rewrite/filter-edits.js';
import type { DocumentEdit } from '../../domain-xml/rewrite/document-edit.js';
import type { AssignedDevice } from '../../domain-xml/assigned-devices.js';
import { layoutOf } from '../../pci/config-space/layout.js';
import type { PciFunction } from '../../pci/pci-function.js';
import type { AssessedMirror } from '../../risk/risk-database.js';
import type { Exposure } from '../../risk/exposure.js';
import type { MirrorWindow } from '../access-rules/exposure-rules.js';
import { planAccessRules } from '../access-rules/plan-access-rules.js';
import { renderRules } from '../access-rules/render-rules.js';
import type { DevicePlan, PlannedMechanism } from '../device-plan.js';
import type { DeviceIntake, PlanContext } from '../domain-plan.js';
import { carrierFor } from '../qemu-config-filter.js';
import { filterText, rulesOf, type FunctionRules } from './filter-text.js';

export type FilterOutcome = { ok: true; edits: DocumentEdit[] } | { ok: false; reason: string };

/**
 * The edits that give a domain the config filter for all devices whose plan has it. A domain that runs keeps the filter
 * that it was started with: a device that is plugged in there must be in it already.
 */
export function planFilter(
  context: PlanContext,
  intakes: readonly DeviceIntake[],
  plans: ReadonlyMap<AssignedDevice, DevicePlan>,
): FilterOutcome {
  const { document, host } = context;
  const carrier = carrierFor(document, host);
  const filtered = intakes.flatMap((intake) => {
    const mechanism = plans.get(intake.device)?.mechanisms.find(({ name }) => name === 'qemu-config-filter');
    return mechanism && carrier ? [{ intake, rules: functionRules(intake, mechanism, carrier.name) }] : [];
  });
  if (filtered.length === 0 || !carrier) return { ok: true, edits: [] };

  const blind = filtered.find(({ rules }) => rules.unplaced.length > 0)?.rules;
  if (blind) {
    const reason = `the config space of ${blind.bdf} was not read, so its registers are not known: ${blind.unplaced.join(', ')}`;
    return { ok: false, reason };
  }
  if (context.plugging) {
    const text = rulesInForce(document.root) ?? '';
    const missing = filtered.find(({ rules }) => rulesOf(text, rules.bdf) !== rules.rules);
    if (!missing) return { ok: true, edits: [] };
    const reason = `the filter that the domain was defined with has no such rules for ${missing.rules.bdf}`;
    return { ok: false, reason };
  }
  const rules = filterText(filtered.map((entry) => entry.rules));
  if (rules === undefined)
    return { ok: false, reason: 'the rules of all its devices are longer than QEMU takes' };
  const noIoeventfd =
    carrier.name === 'preload' && filtered.some(({ intake }) => trapped(intake.mirrors).length > 0);
  return {
    ok: true,
    edits: filterEdits(document, { carrier: carrier.name, library: carrier.library, rules, noIoeventfd }),
  };
}

/** The rules for one function, as this carrier is to have them. */
export function functionRules(
  { device, function: fn, mirrors }: Pick<DeviceIntake, 'device' | 'function' | 'mirrors'>,
  { closes, exempt, reads }: PlannedMechanism,
  carrier: 'property' | 'preload',
): FunctionRules & { unplaced: readonly Exposure[] } {
  const { rules, unplaced } = planAccessRules({
    layout: fn && layoutFor(fn),
    closes,
    exempt,
    unassignedReads: reads?.length ? 'block' : 'allow',
    // The property applies the rules of config space to windows that QEMU traps; others it traps itself.
    mirrors: carrier === 'property' ? untrapped(mirrors) : trapped(mirrors),
  });
  // QEMU itself asks for a reset when the VM restarts.
  const ioctls = rules.ioctls.filter((name) => name === 'ioeventfd');
  return { bdf: device.source!, rules: renderRules({ ...rules, ioctls }), unplaced };
}

function layoutFor({ configSpace, configSize }: PciFunction) {
  return configSpace && layoutOf(configSpace, configSize === undefined ? {} : { configSize });
}

function trapped(mirrors: readonly AssessedMirror[]): MirrorWindow[] {
  return mirrors.filter(
    ({ trappedByQemu, addressing }) => trappedByQemu === 'always' && addressing === 'direct',
  );
}

function untrapped(mirrors: readonly AssessedMirror[]): MirrorWindow[] {
  return mirrors.filter(
    ({ trappedByQemu, addressing }) => trappedByQemu === 'never' && addressing === 'direct',
  );
}
