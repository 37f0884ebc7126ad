import type { PciIds } from '../pci/pci-ids.js';
import { EXPOSURES, type Exposure } from '../risk/exposure.js';
import type { Finding } from '../risk/finding.js';
import type { Decision, DeviceDecision, Verdict } from './decision.js';

/** Names for a function, where somebody knows them; the decision itself holds ids only. */
export type NameFunction = (fn: NonNullable<DeviceDecision['function']>) => string | undefined;

/** Names functions as pci.ids does. */
export function namerOf(names: PciIds): NameFunction {
  return ({ vendor, device }) =>
    [names.vendor(vendor), names.device(vendor, device)].filter((name) => name !== undefined).join(' ') ||
    undefined;
}

const VERDICT_SENTENCE: Record<Verdict, string> = {
  unrestricted: 'nothing is restricted',
  exempt: 'nothing is restricted: it would break the device',
  observed: 'nothing is changed; enforcing would restrict it',
  restricted: 'restricted',
  denied: 'refused',
};

/**
 * A decision in words, for an operator who wants to know at night why a VM got its restrictions: what, why, what was
 * considered, what stays open, and what to do to change it. Plain text, lines of at most about 110 characters.
 */
export function explain(decision: Decision, nameOf: NameFunction = () => undefined): string {
  const { domain, inputs, devices } = decision;
  const lines = [
    `${domain.name || '(unnamed domain)'}: ${VERDICT_SENTENCE[decision.verdict]}`,
    `  decision ${decision.id}, ${inputs.evaluatedAt}, machine ${domain.machine.type ?? `unspecified (${domain.family})`}`,
    `  policy ${short(inputs.policy)}${originOf(inputs)}, risk database ${short(inputs.risks)}, host switch ${inputs.hostMode}`,
  ];
  if (devices.length === 0) lines.push('  it has no assigned devices, so there was nothing to judge');
  for (const device of devices) lines.push('', ...explainDevice(device, decision, nameOf));
  if (decision.edits.length > 0) {
    lines.push(
      '',
      'Changed in the domain XML:',
      ...decision.edits.map(({ target, summary }) => `  ${target}: ${summary}`),
    );
  }
  if (decision.moves.length > 0) {
    lines.push(
      '',
      'Other devices get another address in the guest:',
      ...decision.moves.map(({ device, from, to }) => `  ${device}: ${from} -> ${to}`),
    );
  }
  if (decision.problems.length > 0) {
    lines.push(
      '',
      'Not judged fully:',
      ...decision.problems.map(({ place, problem, remedy }) => `  ${place}: ${problem}. ${remedy}`),
    );
  }
  return `${lines.join('\n')}\n`;
}

function explainDevice(device: DeviceDecision, decision: Decision, nameOf: NameFunction): string[] {
  const { function: fn, rule, plan } = device;
  const id = fn ? ` [${fn.vendor}:${fn.device}] class ${fn.class.slice(0, 4)} ${fn.kind.toUpperCase()}` : '';
  const name = fn && nameOf(fn);
  const lines = [
    `${device.source ?? device.reference ?? device.place}${name ? ` ${name}` : ''}${id}: ${device.verdict}`,
  ];
  const detail = (label: string, texts: readonly string[]) => {
    texts.forEach((text, index) => lines.push(`  ${(index === 0 ? label : '').padEnd(11)}${text}`));
  };

  // Of a domain that is refused nothing is changed, whatever was planned for its devices.
  const done = device.mode === 'enforce' && decision.verdict !== 'denied';
  detail(done ? 'done' : 'would do', plan.mechanisms.map(describeMechanism));
  detail(
    'in effect',
    plan.alreadyClosed.map(({ by, exposures }) => `${by} closes ${exposures.join(', ')}`),
  );
  detail('moved', device.movedAlong ? ['with another function of its slot'] : []);
  detail('why', whyLines(device.findings));
  detail(
    'noted',
    device.notices.map(
      ({ reason, risk, detail: what }) => `${risk.summary} (${reason}, entry ${risk.entry}): ${what}`,
    ),
  );
  detail('rule', [
    rule
      ? `${rule.name} of policy ${rule.policy} (${rule.file}), mode ${device.mode}` +
        (device.required.length > 0
          ? `, requires ${device.required.join(', ')}`
          : ', requires nothing that it has') +
        (rule.heldBack === undefined ? '' : `; observed only: ${rule.heldBack}`)
      : 'no policy rule speaks of this device',
  ]);
  detail(
    'exempt',
    (device.exemptions ?? []).map(
      (exemption) =>
        `${exemption.spares.join(', ')}, until ${exemption.expires}, by ${exemption.name} (${exemption.file}; ` +
        `${exemption.owner}, ${exemption.ticket}): ${exemption.reason}`,
    ),
  );
  detail('considered', grouped(plan.rejected.map(({ mechanism, reason }) => [mechanism, reason])));
  detail(
    'stays open',
    grouped([
      ...plan.residual.map(({ exposure, parts, required, reason }): [string, string] => [
        `${exposure}${partsOf(parts, exposure)}${required ? ' (REQUIRED by the rule)' : ''}`,
        reason,
      ]),
      ...(plan.openReads?.exposures ?? []).map((exposure): [string, string] => [
        `${exposure} to reads (asked for by the rule)`,
        plan.openReads!.reason,
      ]),
    ]),
  );
  detail(
    'price',
    device.mode === 'off' ? [] : plan.mechanisms.map(({ name: by, price }) => `${by}: ${price}`),
  );
  detail('to change', [whatToChange(device, decision)]);
  return lines;
}

function describeMechanism({
  name,
  closes,
  byRule,
  reads = [],
  exempt,
  proof,
}: DeviceDecision['plan']['mechanisms'][number]): string {
  const rules = byRule.length > 0 ? `; by a rule: ${byRule.join(', ')}` : '';
  const spared = exempt
    .map(({ from, to }) => ` but leaves 0x${from.toString(16)}-0x${to.toString(16)}`)
    .join('');
  const also = reads.length > 0 ? `; to reads, too: ${reads.join(', ')}` : '';
  return `${name} closes ${closes.join(', ') || 'a part'}${spared}${rules}${also} (${proof})`;
}

function whyLines(findings: readonly Finding[]): string[] {
  const known = findings.filter(({ risk }) => risk);
  if (known.length === 0) return ['the risk database names no risk of this device'];
  const told = new Set<string>();
  return known.flatMap(({ exposure, risk, detail }) => {
    const lines = [`${exposure} (${EXPOSURES[exposure]}): ${detail}`];
    const { entry, severity, effect, knownBy, confidence, summary, evidence, handledBy, limits } = risk!;
    if (told.has(entry)) return [...lines, `  see entry ${entry} above`];
    told.add(entry);
    return [
      ...lines,
      `  ${severity}, ${effect}, known by ${knownBy}, ${confidence}: ${summary}`,
      ...evidence.map(
        ({ source, reference, date }) => `  evidence: ${source}, ${reference}, ${date} (entry ${entry})`,
      ),
      ...(limits === undefined ? [] : [`  but: ${limits}`]),
      ...(handledBy === undefined ? [] : [`  ${handledBy} (not verified here)`]),
    ];
  });
}

/** One line a reason: what shares it stands together. */
function grouped(pairs: readonly (readonly [subject: string, reason: string])[]): string[] {
  const subjects = new Map<string, string[]>();
  for (const [subject, reason] of pairs) subjects.set(reason, [...(subjects.get(reason) ?? []), subject]);
  return [...subjects].map(([reason, named]) => `${[...new Set(named)].join(', ')}: ${reason}`);
}

function partsOf({ legacy, extended }: { legacy: boolean; extended: boolean }, exposure: Exposure): string {
  // Where an exposure lies on one side only by its definition, the side goes without saying.
  if (exposure !== 'hidden-capability' && exposure !== 'vendor-capability') return '';
  if (legacy && !extended) return ' below 0x100';
  return extended && !legacy ? ' from 0x100 on' : '';
}

function whatToChange(device: DeviceDecision, { inputs }: Decision): string {
  if (!device.rule) return 'add a policy rule that matches this device';
  if (device.exemptions && device.required.length === 0) {
    return `remove ${device.exemptions.map(({ file }) => file).join(', ')} to end the exemption before its time`;
  }
  const { file, name } = device.rule;
  if (inputs.hostMode !== 'enforce' && device.mode === inputs.hostMode) {
    return `the host's switch is at ${inputs.hostMode}; rule ${name} in ${file} says what enforcing would do`;
  }
  if (device.rule.heldBack !== undefined) return `edit the rollout of rule ${name} in ${file}`;
  switch (device.mode) {
    case 'off':
      return `rule ${name} in ${file} is off; set its mode to observe or enforce`;
    case 'observe':
      return `set the mode of rule ${name} in ${file} to enforce`;
    case 'enforce':
      return `edit rule ${name} in ${file}, or put a rule with mode off for this device or domain before it`;
  }
}

function originOf({ policyCommit, policySigner }: Decision['inputs']): string {
  if (policyCommit === undefined) return '';
  return ` (commit ${short(policyCommit)}${policySigner === undefined ? ', not signed' : `, signed by ${policySigner}`})`;
}

function short(revision: string): string {
  return revision.slice(0, 12);
}
