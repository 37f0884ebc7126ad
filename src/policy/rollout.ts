import { hash } from 'node:crypto';
import { timeOf } from './document-time.js';
import type { RolloutStep } from './policy-document.js';

/**
 * Whether a rule is enforced on a host yet: the last step that has begun says on which share of the hosts. A host that one
 * step has reached, every later one with a larger share reaches, too.
 *
 * @param share where the host stands, see `hostShare`
 * @param time milliseconds since the epoch
 */
export function isEnforced(steps: readonly RolloutStep[] | undefined, share: number, time: number): boolean {
  if (!steps) return true;
  const begun = steps
    .filter(({ from }) => from === undefined || timeOf(from) <= time)
    .toSorted((a, b) => startOf(a) - startOf(b));
  const step = begun.at(-1);
  return step !== undefined && share < (step.hosts ?? 100);
}

/** Where a host stands among all, 0 to 100 (not included): the same on every node and in every revision. */
export function hostShare(hostName: string): number {
  const digits = hash('sha256', hostName, 'hex').slice(0, 12);
  return (parseInt(digits, 16) / 2 ** 48) * 100;
}

/** When steps begin, in milliseconds since the epoch. */
export function rolloutChanges(steps: readonly RolloutStep[] = []): number[] {
  return steps.flatMap(({ from }) => (from === undefined ? [] : [timeOf(from)]));
}

function startOf({ from }: RolloutStep): number {
  return from === undefined ? -Infinity : timeOf(from);
}
