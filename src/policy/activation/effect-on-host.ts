import { once } from 'node:events';
import { setImmediate as pause } from 'node:timers/promises';
import type { DecisionBasis } from '../../decision/decision.service.js';
import { EffectReckoner, type JudgedDomain, type PolicyEffect } from '../effect/policy-effect.js';
import type { PolicySet } from '../policy-set.js';
import { rolloutChanges } from '../rollout.js';
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

/** What a revision would change, from a time on. */
export interface TimedEffect extends PolicyEffect {
  /** ISO 8601, UTC; absent: at once. */
  from?: string;
}

/** Steps of rollouts that are weighed ahead, the last ones where there are more. */
const MAX_STEPS = 16;

/**
 * What a revision would change for this host's domains: at once, and from that step of its rollouts on that would disrupt
 * most; undefined while that cannot be known. Decisions have their turn between any two domains.
 *
 * @throws the signal's reason
 */
export async function effectOnHost(
  { policy, risks }: Pick<ReadyRevision, 'policy' | 'risks'>,
  { domains, basis, hostdevNetworks, clock }: HostParts,
  signal: AbortSignal,
): Promise<{ now: PolicyEffect; worst: TimedEffect } | undefined> {
  const all = await unlessAborted(domains(), signal);
  if (!all) return undefined;
  const given = {
    ...basis(),
    hostdevNetworks: hostdevNetworks(),
    // As the rules say it: a switch that is off now may be turned on.
    hostMode: 'enforce' as const,
  };
  const effectAt = async (evaluatedAt: string): Promise<PolicyEffect> => {
    const before = { ...given, evaluatedAt };
    const reckoner = new EffectReckoner(before, { ...before, policy, risks });
    for (const domain of all) {
      reckoner.look(domain);
      await pause();
      signal.throwIfAborted();
    }
    return reckoner.result();
  };
  const time = clock();
  const now = await effectAt(time.toISOString());
  let worst: TimedEffect = now;
  for (const from of stepsAfter(policy, time)) {
    const effect = await effectAt(from);
    if (effect.disruptive > worst.disruptive) worst = { ...effect, from };
  }
  return { now, worst };
}

/** What is staged is decided about by nobody else when its time has come. */
function stepsAfter({ rules }: PolicySet, now: Date): string[] {
  const begins = new Set(rules.flatMap(({ rule }) => rolloutChanges(rule.rollout)));
  return [...begins]
    .filter((time) => time > now.getTime())
    .toSorted((a, b) => a - b)
    .slice(-MAX_STEPS)
    .map((time) => new Date(time).toISOString());
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
