import type { RefusalReason } from '../sources/source-refusal.js';
import type { HeldRevision } from './policy-state.js';

/** What one look at the source came to. */
export type SyncResult = 'activated' | 'unchanged' | 'held' | 'waiting' | 'pinned' | 'refused';

export interface SyncOutcome {
  result: SyncResult;
  detail: string;
  reason?: RefusalReason;
}

/** Something that operators should find in the record. */
export interface PolicyEvent {
  kind: 'policy-activated' | 'policy-refused' | 'policy-held' | 'policy-pinned' | 'policy-unpinned';
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
  /** What is no mistake in the revision in force, but perhaps not meant; of many the first. */
  warnings: readonly string[];
}
