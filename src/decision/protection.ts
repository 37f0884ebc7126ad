import type { Decision } from './decision.js';

/**
 * Whether the decided document lacks something that an enforced rule asks for: an exposure that stays open, or an edit
 * that has still to be made.
 */
export function isUnprotected({ devices, edits }: Pick<Decision, 'devices' | 'edits'>): boolean {
  return (
    edits.length > 0 ||
    devices.some(({ mode, plan }) => mode === 'enforce' && plan.residual.some(({ required }) => required))
  );
}

/** BDFs of the functions that the document assigns, sorted. */
export function assignedFunctions({ devices }: Pick<Decision, 'devices'>): string[] {
  return devices.flatMap(({ source }) => (source === undefined ? [] : [source])).toSorted();
}

/** Functions that the document has where an edit of ours could have put them: on a conventional bus or machine. */
export function restrictedPlaces({ devices }: Pick<Decision, 'devices'>): string[] {
  return devices.flatMap(({ source, plan }) =>
    source !== undefined && plan.alreadyClosed.some(({ by }) => by === 'conventional-bus' || by === 'i440fx')
      ? [source]
      : [],
  );
}

/** What of a decision tells whether another one would come out the same: the revisions of what people write. */
export function basisOf({ inputs }: Pick<Decision, 'inputs'>): string {
  const { policy, policyInForce, risks, hostMode } = inputs;
  return [policy, policyInForce, risks, hostMode].filter((part) => part !== undefined).join(' ');
}
