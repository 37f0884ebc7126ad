import type { Decision, DeviceDecision } from './decision.js';

/** Characters: a client shows it at the end of libvirt's own message, on one line. */
const MAX_REASON = 1000;

/** Why policy refuses a domain. */
export function denialReason(decision: Decision): string {
  const devices = decision.devices.filter(({ verdict }) => verdict === 'denied').map(describeDenied);
  return reason(decision, `policy refuses this domain: ${devices.join('; ')}`);
}

/**
 * What a domain that is about to start lacks, and how it gets it.
 *
 * @param proxySocket where clients find the proxy, which makes the edits
 */
export function lackReason(decision: Decision, proxySocket: string): string {
  return reason(
    decision,
    `the domain lacks what policy asks for: ${describeLacks(decision)}. Send it through the proxy: ` +
      `virsh dumpxml --inactive DOMAIN >FILE, virsh -c 'qemu+unix:///system?socket=${proxySocket}' define FILE`,
  );
}

/** Why a domain is stopped whose protection could not be put in force. */
export function unarmedReason(decision: Decision, { problem }: { problem: string }): string {
  return reason(decision, `its devices cannot be protected: ${problem}`);
}

/** Why an incoming domain is refused that could not be protected here. */
export function unmatchedReason(decision: Decision): string {
  return reason(decision, `an incoming domain cannot be protected here: ${describeUncovered(decision)}`);
}

/** The mechanisms that a document lacks, in words; empty where it would not be edited. */
export function describeLacks({ edits, devices }: Decision): string {
  if (edits.length === 0) return '';
  return devices
    .filter(({ mode, plan }) => mode === 'enforce' && plan.mechanisms.length > 0)
    .map(({ plan: { mechanisms }, ...device }) => {
      const needs = mechanisms.map(({ name, closes }) => `${name} to close ${closes.join(', ') || 'a part'}`);
      return `${nameOf(device)} needs ${needs.join(' and ')}`;
    })
    .join('; ');
}

/** What policy requires closed and nothing here closes. */
export function describeUncovered({ devices }: Decision): string {
  return devices
    .map((device) => ({ device, open: uncovered(device) }))
    .filter(({ open }) => open.length > 0)
    .map(({ device, open }) => `${nameOf(device)}: ${open.join(', ')} stays open`)
    .join('; ');
}

/** What a client may be told: one line, nothing in it that a terminal would act upon. */
export function printable(text: string): string {
  const line = text.replaceAll(/[\p{Cc}\p{Cf}\p{Zl}\p{Zp}\s]+/gu, ' ').trim();
  return line.length > MAX_REASON ? `${line.slice(0, MAX_REASON - 3)}...` : line;
}

function describeDenied(device: DeviceDecision): string {
  const rule = device.rule ? ` (rule ${device.rule.name} of policy ${device.rule.policy})` : '';
  return `${nameOf(device)}: ${uncovered(device).join(', ')} stays open${rule}`;
}

function uncovered({ mode, plan }: DeviceDecision): string[] {
  if (mode !== 'enforce') return [];
  return plan.residual.filter(({ required }) => required).map(({ exposure }) => exposure);
}

function nameOf({
  source,
  reference,
  place,
}: Pick<DeviceDecision, 'source' | 'reference' | 'place'>): string {
  return source ?? reference ?? place;
}

/** The id comes first, so that a long list of devices cannot push it out of the line. */
function reason({ id }: Decision, what: string): string {
  return printable(`vfio-warden: decision ${id} (wardenctl explain ${id}): ${what}`);
}
