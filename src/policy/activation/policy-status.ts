import type { RefusalReason } from '../sources/source-refusal.js';
import type { HeldRevision } from './policy-state.js';

/** What one look at the source came to. */
export type SyncResult = 'activated' | 'unchanged' | 'held' | 'waiting' | 'pinned' | 'refused';

export interface SyncOutcome {
  result: SyncResult;
  detail: string;
  reason?: RefusalReason;
  /** The commit that was refused, where one was found. */
  commit?: string;
}

/** What takes its time on the way of a revision. */
export const STEPS = ['fetching', 'reading', 'weighing'] as const;

/** A look at the source, or something that was asked for, which is not done yet. */
export interface UnderWay {
  step: (typeof STEPS)[number];
  /** When the step began; ISO 8601, UTC. */
  since: string;
}

/** Something that operators should find in the record. */
export interface PolicyEvent {
  kind:
    | 'policy-activated'
    | 'policy-refused'
    | 'policy-held'
    | 'policy-accepted'
    | 'policy-pinned'
    | 'policy-unpinned';
  actor?: string;
  detail: string;
}

/** A look at what is going on, for people. */
export interface PolicyStatus {
  source: string;
  inForce:
    { id: string; revision: string; commit?: string; signer?: string; activatedAt?: string } | undefined;
  pinned: string | undefined;
  held: HeldRevision | undefined;
  lastSync: (SyncOutcome & { at: string }) | undefined;
  lastRefusal: (SyncOutcome & { at: string }) | undefined;
  /** What came of the last approval or pin. */
  lastRequest: (SyncOutcome & { at: string }) | undefined;
  underWay: readonly UnderWay[];
  /** What is no mistake in the revision in force, but perhaps not meant; of many the first. */
  warnings: readonly string[];
}
