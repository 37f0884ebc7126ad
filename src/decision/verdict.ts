import type { DevicePlan } from '../mitigation/device-plan.js';
import type { Verdict } from './decision.js';
import type { DeviceCase } from './judge-device.js';

/** What the plan for a device comes to. */
export function verdictOf({ mode, placedRule, intake, exemptions }: DeviceCase, plan: DevicePlan): Verdict {
  if (mode === 'off') return 'unrestricted';
  if (intake.required.size === 0) return exemptions.length > 0 ? 'exempt' : 'unrestricted';
  const uncovered = plan.residual.some(({ required }) => required);
  const denied = uncovered && placedRule?.rule.uncovered === 'deny';
  const planned = plan.mechanisms.length > 0;
  if (mode === 'observe') return denied || planned ? 'observed' : 'unrestricted';
  if (denied) return 'denied';
  const closedBefore = plan.alreadyClosed.some(({ exposures }) =>
    exposures.some((exposure) => intake.required.has(exposure)),
  );
  if (planned || closedBefore) return 'restricted';
  const spared = plan.residual.some(({ exposure }) => intake.required.has(exposure)) && !uncovered;
  return spared ? 'exempt' : 'unrestricted';
}

/** From the mildest to the worst. */
const VERDICTS: readonly Verdict[] = ['unrestricted', 'exempt', 'observed', 'restricted', 'denied'];

/** The verdict on a domain is the worst of its devices'. */
export function worstOf(verdicts: readonly Verdict[]): Verdict {
  return VERDICTS[Math.max(0, ...verdicts.map((verdict) => VERDICTS.indexOf(verdict)))]!;
}
