import { once } from 'node:events';
import { setImmediate as pause } from 'node:timers/promises';
import type { DecisionBasis } from '../../decision/decision.service.js';
import { EffectReckoner, type JudgedDomain, type PolicyEffect } from '../effect/policy-effect.js';
import type { ReadyRevision } from './policy-process.js';

/** What a revision is weighed by. */
export interface HostParts {
  /** What decisions are made of now. */
  basis: () => DecisionBasis;
  /** This host's domains with what is known of their past; undefined while libvirt is away. */
  domains: () => Promise<readonly JudgedDomain[] | undefined>;
  hostdevNetworks: () => readonly string[];
  clock: () => Date;
}

/**
 * What a revision would change for this host's domains; undefined while that cannot be known. Decisions have their turn
 * between any two domains.
 *
 * @throws the signal's reason
 */
export async function effectOnHost(
  { policy, risks }: Pick<ReadyRevision, 'policy' | 'risks'>,
  { domains, basis, hostdevNetworks, clock }: HostParts,
  signal: AbortSignal,
): Promise<PolicyEffect | undefined> {
  const all = await unlessAborted(domains(), signal);
  if (!all) return undefined;
  const before = {
    ...basis(),
    evaluatedAt: clock().toISOString(),
    hostdevNetworks: hostdevNetworks(),
    // As the rules say it: a switch that is off now may be turned on.
    hostMode: 'enforce' as const,
  };
  const reckoner = new EffectReckoner(before, { ...before, policy, risks });
  for (const domain of all) {
    reckoner.look(domain);
    await pause();
    signal.throwIfAborted();
  }
  return reckoner.result();
}

/** Libvirt may hang, and nobody can end that. */
async function unlessAborted<T>(work: Promise<T>, signal: AbortSignal): Promise<T> {
  const over = new AbortController();
  const aborted = once(signal, 'abort', { signal: over.signal });
  try {
    return await Promise.race([work, aborted.then(() => Promise.reject(signal.reason as Error))]);
  } finally {
    aborted.catch(() => undefined);
    over.abort();
  }
}
