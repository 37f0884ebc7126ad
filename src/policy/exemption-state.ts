import { timeOf } from './document-time.js';
import type { PlacedExemption } from './policy-set.js';

/** Milliseconds before its end at which an exemption counts as about to expire. */
export const EXPIRING_MS = 14 * 24 * 60 * 60 * 1000;

export const EXEMPTION_STATES = ['pending', 'active', 'expiring', 'expired'] as const;
export type ExemptionState = (typeof EXEMPTION_STATES)[number];

/** `pending` before it begins, `expiring` in its last 14 days. @param time milliseconds since the epoch */
export function exemptionState({ from, expires }: PlacedExemption, time: number): ExemptionState {
  const end = timeOf(expires);
  if (time >= end) return 'expired';
  if (time < timeOf(from)) return 'pending';
  return end - time <= EXPIRING_MS ? 'expiring' : 'active';
}
