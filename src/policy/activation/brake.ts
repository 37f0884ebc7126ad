import type { TimedEffect } from './effect-on-host.js';
import type { HeldRevision } from './policy-state.js';
import type { RevisionRecord } from './revision-store.js';

const MAX_EXAMPLES = 10;

/**
 * Why a revision waits for a person; undefined where it need not.
 *
 * @param percent of the domains with assigned devices that it may deny, or give other guest hardware
 * @param since ISO 8601, UTC
 */
export function holdBack(
  { id, commit, signer }: RevisionRecord,
  { looked, disruptive, affected, from }: TimedEffect,
  percent: number,
  since: string,
): HeldRevision | undefined {
  if (looked === 0 || disruptive === 0) return undefined;
  if ((100 * disruptive) / looked <= percent) return undefined;
  return {
    id,
    ...(commit !== undefined && { commit }),
    ...(signer !== undefined && { signer }),
    since,
    reason:
      `${from === undefined ? 'it' : `from ${from} on it`} would deny, or change the guest hardware of, ${disruptive} of ${looked} domains with assigned devices ` +
      `(more than ${percent} %)`,
    domains: looked,
    disruptive,
    examples: affected
      .filter(({ denied, hardware }) => denied || hardware)
      .slice(0, MAX_EXAMPLES)
      .map(({ domain, changes }) => ({ domain, changes })),
  };
}
