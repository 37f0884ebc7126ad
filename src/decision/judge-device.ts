import type { AssignedDevice } from '../domain-xml/assigned-devices.js';
import type { DomainDocument } from '../domain-xml/domain-document.js';
import type { DeviceIntake } from '../mitigation/plan-context.js';
import { MODES, type Mode } from '../policy/policy-terms.js';
import type { PolicyInForce } from '../policy/policy-in-force.js';
import type { PlacedExemption, PlacedRule } from '../policy/policy-set.js';
import { domainFacts, type RuleSubject } from '../policy/rule-subject.js';
import type { Exposure } from '../risk/exposure.js';
import type { Finding } from '../risk/finding.js';
import { assessDevice, type Assessment } from './assess.js';
import type { DecideInput } from './decide-input.js';
import type { AppliedExemption } from './decision.js';

/** One device on its way through the pipeline. */
export interface DeviceCase {
  device: AssignedDevice;
  assessment: Assessment;
  placedRule: PlacedRule | undefined;
  mode: Mode;
  /** Why the rule is not enforced here yet. */
  heldBack: string | undefined;
  /** Those that spare something that the rule requires. */
  exemptions: readonly AppliedExemption[];
  intake: DeviceIntake;
}

/** Judges one assigned device: what it exposes, which rule speaks of it, and what that rule asks for. */
export function judgeDevice(
  input: DecideInput,
  policy: PolicyInForce,
  document: DomainDocument,
  device: AssignedDevice,
): DeviceCase {
  const fn = device.source && input.inventory.get(device.source);
  const assessment = assessDevice(device, fn, input.risks);
  const subject: RuleSubject = {
    domain: domainFacts(document),
    source: device.source,
    function: fn,
    knownBy: new Set(assessment.findings.flatMap(({ risk }) => (risk ? [risk.knownBy] : []))),
  };
  const placedRule = policy.findRule(subject);
  const ruled = placedRule ? policy.modeOf(placedRule) : { mode: 'off' as const, heldBack: undefined };
  const mode = lower(ruled.mode, input.hostMode);
  const asked: ReadonlySet<Exposure> =
    mode === 'off' ? new Set() : requiredExposures(placedRule!, assessment);
  const exemptions = asked.size === 0 ? [] : sparing(policy.exemptionsFor(subject), asked);
  const spared = new Set(exemptions.flatMap(({ spares }) => spares));
  const changeRefused = whyUnchanged(placedRule, input, device);
  return {
    device,
    assessment,
    placedRule,
    mode,
    heldBack: mode === 'observe' ? ruled.heldBack : undefined,
    exemptions,
    intake: {
      device,
      function: fn,
      findings: assessment.findings,
      needs: assessment.needs,
      mirrors: assessment.mirrors,
      required: new Set([...asked].filter((exposure) => !spared.has(exposure))),
      allowed: mode === 'off' ? [] : (placedRule!.rule.mitigations ?? []),
      closeReads: asked.size > 0 && placedRule!.rule.unassignedReads === 'block',
      changeRefused,
    },
  };
}

/**
 * Of the exposures that the rule requires closed, those that the device has. A rule for devices known by their ids does
 * not require what is known of their class only: that is another rule's to say.
 */
export function requiredExposures(
  { rule }: PlacedRule,
  { findings }: Pick<Assessment, 'findings'>,
): Set<Exposure> {
  const onlyKnownByDevice = rule.match?.risk?.knownBy === 'device';
  const requires = ({ exposure, risk }: Finding) =>
    rule.require === 'risks'
      ? risk !== undefined && (!onlyKnownByDevice || risk.knownBy === 'device')
      : rule.require?.includes(exposure);
  return new Set(findings.filter(requires).map(({ exposure }) => exposure));
}

/** What each exemption spares of what is asked for; those that spare nothing are left out. */
function sparing(exemptions: readonly PlacedExemption[], asked: ReadonlySet<Exposure>): AppliedExemption[] {
  return exemptions
    .map(({ name, file, reason, owner, ticket, expires, exposures }) => {
      const spares = [...asked].filter((exposure) => exposures?.includes(exposure) ?? true);
      return { name, file, reason, owner, ticket, expires, spares };
    })
    .filter(({ spares }) => spares.length > 0);
}

function whyUnchanged(
  placed: PlacedRule | undefined,
  { domainState, guestHardware, ranRestricted, attach }: DecideInput,
  { source }: AssignedDevice,
): string | undefined {
  if (guestHardware === 'fixed') {
    return 'the guest comes with its memory (restore or migration), so its hardware must stay what it was';
  }
  switch (placed?.rule.topologyChange ?? 'never') {
    case 'always':
      return undefined;
    case 'before-first-run':
      // A device that is attached now is none that the guest has seen.
      if (domainState === 'new' || attach) return undefined;
      if (source !== undefined && ranRestricted.includes(source)) return undefined;
      return domainState === 'has-run'
        ? 'the domain has run, and the policy rule changes guest hardware before the first run only'
        : 'it is not known whether the domain has run, and the policy rule changes guest hardware before the first run only';
    case 'never':
      return 'the policy rule does not allow a change of guest hardware';
  }
}

function lower(a: Mode, b: Mode): Mode {
  return MODES[Math.min(MODES.indexOf(a), MODES.indexOf(b))]!;
}
