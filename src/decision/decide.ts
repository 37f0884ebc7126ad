import { sha256 } from '../canonical-json.js';
import type { AssignedDevice } from '../domain-xml/assigned-devices.js';
import { plugIn } from '../domain-xml/plug-in.js';
import { readDomain, type DomainDocument } from '../domain-xml/domain-document.js';
import { writeMetadata } from '../domain-xml/metadata.js';
import { applySplices } from '../domain-xml/splice.js';
import type { HostCapabilities } from '../host/host-capabilities.js';
import { planGroup, type GroupPlan } from '../mitigation/domain-plan.js';
import type { GivenByOthers, PlanContext } from '../mitigation/plan-context.js';
import { unaskedRules } from '../mitigation/qemu-filter/filter-plan.js';
import { formatBdf } from '../pci/bdf.js';
import type { PciFunction } from '../pci/pci-function.js';
import { policyInForce, type PolicyInForce } from '../policy/policy-in-force.js';
import type { PolicyNode } from '../policy/policy-set.js';
import type { Mode } from '../policy/policy-terms.js';
import type { Assessment } from './assess.js';
import type { DecideInput } from './decide-input.js';
import type { DevicePlan } from '../mitigation/device-plan.js';
import type { AppliedExemption, Decision, DecisionInputs, DeviceDecision, Problem } from './decision.js';
import { DomainContext } from './domain-context.js';
import { judgeDevice, type DeviceCase } from './judge-device.js';
import { verdictOf, worstOf } from './verdict.js';

export interface DecideResult {
  decision: Decision;
  /** The document (of an attached device: the device) to use instead; the very same text where nothing is to be changed. */
  xml: string;
}

const NAMELESS: PolicyNode = { name: '', labels: [] };

/** As many digits of a policy revision as tell it apart, in a document that shall stay short. */
const REVISION_DIGITS = 16;

/**
 * The pipeline: document, devices, findings, plan, edits, decision. Pure: the same input gives the same result, byte for
 * byte. Every surface calls this and none decides by itself.
 *
 * @throws LocatedError where the document cannot be read
 */
export function decide(input: DecideInput): DecideResult {
  const attachment = input.attach && plugIn(input.xml, input.attach.xml);
  const document = attachment ? readDomain(attachment.text) : (input.document ?? readDomain(input.xml));
  const policy = policyInForce(input.policy, input.node ?? NAMELESS, input.evaluatedAt);
  const inputs = inputsOf(input, policy);
  const id = `wd-${sha256(inputs).slice(0, 24)}`;
  const context = new DomainContext(input, document);
  const cases = document.assignedDevices
    .filter(
      (device) => device.carrier !== 'network' || input.hostdevNetworks.includes(device.reference ?? ''),
    )
    .filter((device) => !attachment || attachment.holds(device.element))
    .map((device) => judgeDevice(input, policy, document, device));

  // Enforced devices are planned together, since they share bridges and the machine; observed ones apart, since what is
  // only observed must not change what is enforced.
  const companions = cases.map(({ device }) => device);
  const enforced = planCases(context, cases, 'enforce', companions);
  const given = { converted: enforced.converted, moved: new Set(enforced.movedAlong) };
  const observed = planCases(context, cases, 'observe', companions, given);
  const ignored = planCases(context, cases, 'off', companions, given);

  const devices = cases.map((entry) => {
    const group = { enforce: enforced, observe: observed, off: ignored }[entry.mode];
    return record(entry, group, enforced);
  });
  const verdict = worstOf(devices.map((device) => device.verdict));
  const edits = verdict === 'denied' ? [] : enforced.edits;
  const decision: Decision = {
    id,
    apiVersion: 'vfio-warden.dev/v1',
    inputs,
    domain: {
      name: document.name,
      ...(document.uuid !== undefined && { uuid: document.uuid }),
      machine: document.machine,
      family: context.family,
    },
    verdict,
    devices,
    edits: edits.map(({ kind, target, summary }) => ({ kind, target, summary })),
    moves: verdict === 'denied' ? [] : enforced.moves.map(({ device, from, to }) => ({ device, from, to })),
    problems: [
      ...cases.flatMap(({ device, assessment }) => problemsOf(device, assessment)),
      ...(attachment ? cases.flatMap(({ device }, at) => unasked(document, device, devices[at]!)) : []),
    ],
  };
  if (attachment) return { decision, xml: attachment.withEdits(edits.flatMap(({ splices }) => splices)) };
  return { decision, xml: edits.length === 0 ? input.xml : rewrite(document, decision, enforced) };
}

function inputsOf(input: DecideInput, { digest }: PolicyInForce): DecisionInputs {
  const { commit, signer } = input.policy;
  return {
    xml: sha256(input.xml),
    inventory: input.inventory.revision,
    host: revisionOf(input.host),
    policy: input.policy.revision,
    ...(digest !== undefined && { policyInForce: digest }),
    ...(commit !== undefined && { policyCommit: commit }),
    ...(signer !== undefined && { policySigner: signer }),
    risks: input.risks.revision,
    evaluatedAt: input.evaluatedAt,
    domainState: input.domainState,
    guestHardware: input.guestHardware,
    ranRestricted: input.ranRestricted.toSorted(),
    ...(input.attach && { attach: sha256(input.attach.xml) }),
    hostMode: input.hostMode,
    hostdevNetworks: input.hostdevNetworks.toSorted(),
  };
}

/** A host is probed once and decided for often; the revision of each probe's result is computed once. */
const hostRevisions = new WeakMap<HostCapabilities, string>();

function revisionOf(host: HostCapabilities): string {
  const revision = hostRevisions.get(host) ?? sha256(host);
  hostRevisions.set(host, revision);
  return revision;
}

function planCases(
  context: PlanContext,
  cases: readonly DeviceCase[],
  mode: Mode,
  companions: readonly AssignedDevice[],
  given?: GivenByOthers,
): GroupPlan {
  const intakes = cases.filter((entry) => entry.mode === mode).map(({ intake }) => intake);
  return planGroup(context, intakes, companions, given);
}

function record(entry: DeviceCase, group: GroupPlan, enforced: GroupPlan): DeviceDecision {
  const { device, assessment, placedRule, mode, heldBack, exemptions, intake } = entry;
  const plan = withExemptions(group.plans.get(device)!, exemptions);
  return {
    carrier: device.carrier,
    place: device.place,
    source: device.source,
    reference: device.reference,
    guestAddress: device.guestAddress && formatBdf(device.guestAddress),
    function: intake.function && idsOf(intake.function),
    rule: placedRule && {
      policy: placedRule.policy,
      name: placedRule.rule.name,
      file: placedRule.file,
      ...(heldBack !== undefined && { heldBack }),
    },
    ...(exemptions.length > 0 && { exemptions: [...exemptions] }),
    mode,
    ...(placedRule?.rule.unverified === 'stop' && { unverified: 'stop' as const }),
    required: [...intake.required],
    findings: assessment.findings,
    needs: assessment.needs,
    notices: assessment.notices,
    plan,
    movedAlong: enforced.movedAlong.includes(device),
    verdict: verdictOf(entry, plan),
  };
}

/** What stays open because of an exemption says so. */
function withExemptions(plan: DevicePlan, exemptions: readonly AppliedExemption[]): DevicePlan {
  if (exemptions.length === 0) return plan;
  const residual = plan.residual.map((open) => {
    const by = exemptions.find(({ spares }) => spares.includes(open.exposure));
    return by ? { ...open, reason: `exempt by ${by.name} until ${by.expires}` } : open;
  });
  return { ...plan, residual };
}

function idsOf({
  vendor,
  device,
  class: classCode,
  kind,
}: PciFunction): NonNullable<DeviceDecision['function']> {
  return { vendor, device, class: classCode, kind };
}

function problemsOf(device: AssignedDevice, assessment: Assessment): Problem[] {
  return assessment.problems.map(({ problem, remedy }) => ({
    place: device.source ?? device.place,
    problem,
    remedy,
  }));
}

/** A filter cannot learn of a device that comes later: it treats all of them alike. */
function unasked(document: DomainDocument, device: AssignedDevice, { plan }: DeviceDecision): Problem[] {
  const rules = unaskedRules(document, device, plan);
  if (rules === undefined) return [];
  return [
    {
      place: device.source ?? device.place,
      problem: `the config filter that the domain runs with has ${rules} for every device that is plugged in`,
      remedy: 'Where the device does not work so, define it in the domain, and start that anew.',
    },
  ];
}

function rewrite(document: DomainDocument, decision: Decision, { edits }: GroupPlan): string {
  const splices = edits.flatMap((edit) => edit.splices);
  const applied = new Map<string, string[]>();
  for (const device of decision.devices) {
    for (const { name } of device.plan.mechanisms) {
      if (device.mode !== 'enforce') continue;
      applied.set(name, [...(applied.get(name) ?? []), device.source ?? device.reference ?? device.place]);
    }
  }
  const metadata = writeMetadata(document, edits, {
    decision: decision.id,
    policy: decision.inputs.policy.slice(0, REVISION_DIGITS),
    applied: [...applied].map(([mechanism, devices]) => ({ mechanism, devices })),
  });
  return applySplices(document.text, [...splices, metadata]);
}
