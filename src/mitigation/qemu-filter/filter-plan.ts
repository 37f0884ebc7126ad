import { rulesInForce } from '../../domain-xml/qemu-filter.js';
import { filterEdits } from '../../domain-xml/rewrite/filter-edits.js';
import type { DocumentEdit } from '../../domain-xml/rewrite/document-edit.js';
import type { DomainDocument } from '../../domain-xml/domain-document.js';
import type { AssignedDevice } from '../../domain-xml/assigned-devices.js';
import { layoutOf } from '../../pci/config-space/layout.js';
import type { PciFunction } from '../../pci/pci-function.js';
import type { AssessedMirror } from '../../risk/risk-database.js';
import type { Exposure } from '../../risk/exposure.js';
import type { MirrorWindow } from '../access-rules/exposure-rules.js';
import { planAccessRules } from '../access-rules/plan-access-rules.js';
import { renderRules } from '../access-rules/render-rules.js';
import type { DevicePlan, PlannedMechanism } from '../device-plan.js';
import type { DeviceIntake, PlanContext } from '../plan-context.js';
import { carrierFor } from '../qemu-config-filter.js';
import { entryOf, EVERY_OTHER, filterText, rulesOf, type FunctionRules } from './filter-text.js';

/** What any device can do without, and so one that is plugged in later is kept from; no device's layout is needed for it. */
const CLOSED_BY_STANDARD: readonly Exposure[] = [
  'unassigned-extended',
  'unassigned-legacy',
  'hidden-capability',
];
const FOR_EVERY_OTHER = 'unassigned:w:block';
/** Rules that block nothing. */
const PASS = 'unassigned:rw:allow';

export type FilterOutcome = { ok: true; edits: DocumentEdit[] } | { ok: false; reason: string };

/** One function that is to be filtered. */
interface Filtered {
  intake: DeviceIntake;
  mechanism: PlannedMechanism;
  rules: ReturnType<typeof functionRules>;
}

/**
 * The edits that give a domain the config filter for all devices whose plan has it. A domain that runs keeps the filter
 * that it was started with: a device that is plugged in there must be in it already, or be content with what that has for every
 * other device.
 */
export function planFilter(
  context: PlanContext,
  intakes: readonly DeviceIntake[],
  plans: ReadonlyMap<AssignedDevice, DevicePlan>,
): FilterOutcome {
  const { document, host } = context;
  const carrier = carrierFor(document, host);
  const filtered = intakes.flatMap((intake): Filtered[] => {
    const mechanism = plans.get(intake.device)?.mechanisms.find(({ name }) => name === 'qemu-config-filter');
    if (!mechanism || !carrier) return [];
    return [{ intake, mechanism, rules: functionRules(intake, mechanism, carrier.name) }];
  });
  if (filtered.length === 0 || !carrier) return { ok: true, edits: [] };

  const blind = filtered.find(({ rules }) => rules.unplaced.length > 0)?.rules;
  if (blind) {
    const reason = `the config space of ${blind.bdf} was not read, so its registers are not known: ${blind.unplaced.join(', ')}`;
    return { ok: false, reason };
  }
  const present = rulesInForce(document.root) ?? '';
  const missing = filtered.find((one) => !provides(present, one));
  if (context.plugging) {
    if (!missing) return { ok: true, edits: [] };
    const reason = `the filter that the domain was defined with has no such rules for ${missing.rules.bdf}`;
    return { ok: false, reason };
  }
  const spared = sparedFunctions(document, filtered);
  const others = hasUnknownFunction(document) ? undefined : FOR_EVERY_OTHER;
  const exact =
    spared.every(({ bdf }) => passes(rulesOf(present, bdf))) && entryOf(present, EVERY_OTHER) === others;
  const kept = !missing && (context.fixed || exact);
  const rules = kept
    ? present
    : filterText([...filtered.map((one) => one.rules), ...(others === undefined ? [] : spared)], others);
  if (rules === undefined)
    return { ok: false, reason: 'the rules of all its devices are longer than QEMU takes' };
  const noIoeventfd =
    carrier.name === 'preload' && filtered.some(({ intake }) => trapped(intake.mirrors).length > 0);
  return {
    ok: true,
    edits: filterEdits(document, { carrier: carrier.name, library: carrier.library, rules, noIoeventfd }),
  };
}

/**
 * The rules that a domain's filter has for every other device, where they are more than the plan for a device that is plugged in
 * asks for.
 */
export function unaskedRules(
  document: DomainDocument,
  { source }: AssignedDevice,
  plan: DevicePlan,
): string | undefined {
  const text = rulesInForce(document.root);
  if (text === undefined || source === undefined || entryOf(text, source) !== undefined) return undefined;
  const closes = plan.mechanisms.flatMap((mechanism) =>
    mechanism.exempt.length === 0 ? mechanism.closes : [],
  );
  if (CLOSED_BY_STANDARD.some((exposure) => closes.includes(exposure))) return undefined;
  const rules = entryOf(text, EVERY_OTHER);
  return passes(rules) ? undefined : rules;
}

/** Whether a text of rules has what a function is to have. */
function provides(text: string, { rules, mechanism }: Filtered): boolean {
  const own = entryOf(text, rules.bdf);
  if (own !== undefined) return own === rules.rules;
  const standard = mechanism.closes.every((exposure) => CLOSED_BY_STANDARD.includes(exposure));
  return standard && mechanism.exempt.length === 0 && entryOf(text, EVERY_OTHER) === FOR_EVERY_OTHER;
}

function passes(rules: string | undefined): boolean {
  return rules === undefined || rules === PASS;
}

/** Other functions of the domain: what the text has for every other device is not meant for them. */
function sparedFunctions(document: DomainDocument, filtered: readonly Filtered[]): FunctionRules[] {
  const named = new Set(filtered.map(({ rules }) => rules.bdf));
  const others = document.assignedDevices.flatMap(({ source }) => (source === undefined ? [] : [source]));
  return [...new Set<string>(others)].filter((bdf) => !named.has(bdf)).map((bdf) => ({ bdf, rules: PASS }));
}

/** A function that libvirt chooses at start has no entry of its own, and policy has not judged it. */
function hasUnknownFunction({ assignedDevices }: DomainDocument): boolean {
  return assignedDevices.some(({ source, carrier }) => source === undefined && carrier !== 'mdev');
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
