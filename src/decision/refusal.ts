import type { Decision } from './decision.js';

/** Messages of libvirt go into logs and dashboards: longer reasons are cut, the explanation has them whole. */
const MAX_DEVICES_NAMED = 4;

/** Why a decision refuses a domain, in one line that also says where the whole reason is. */
export function refusalReason(decision: Decision): string {
  const denied = decision.devices.filter(({ verdict }) => verdict === 'denied');
  const reasons = denied.slice(0, MAX_DEVICES_NAMED).map((device) => {
    const open = device.plan.residual.filter(({ required }) => required).map(({ exposure }) => exposure);
    const rule = device.rule && `rule ${device.rule.name} of policy ${device.rule.policy} requires it closed`;
    return `${device.source ?? device.reference ?? device.place}: ${open.join(', ')} stays open, and ${rule}`;
  });
  if (denied.length > reasons.length) reasons.push(`and ${denied.length - reasons.length} more devices`);
  return `${reasons.join('; ')} (decision ${decision.id}; wardenctl explain ${decision.id})`;
}

/** What an enforced decision still has to change in a document, in one line; undefined where nothing is. */
export function missingEdits(decision: Decision): string | undefined {
  if (decision.edits.length === 0) return undefined;
  const devices = decision.devices.filter(
    ({ mode, plan }) => mode === 'enforce' && plan.mechanisms.length > 0,
  );
  const wanted = devices.slice(0, MAX_DEVICES_NAMED).map(({ source, reference, place, plan }) => {
    return `${source ?? reference ?? place} needs ${plan.mechanisms.map(({ name }) => name).join(', ')}`;
  });
  if (devices.length > wanted.length) wanted.push(`and ${devices.length - wanted.length} more devices`);
  return `${wanted.join('; ')} (decision ${decision.id}; wardenctl explain ${decision.id})`;
}
