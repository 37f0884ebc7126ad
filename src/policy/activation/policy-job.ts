import type { PlacedExemption, Provenance } from '../policy-set.js';
import type { PackPiece } from '../../risk/pack-pieces.js';
import type { RefusalReason } from '../sources/source-refusal.js';
import type { CaseResult } from '../testing/test-runner.js';
import type { RevisionRecord } from './revision-store.js';

/** What the process that reads revisions is asked to do: bring a revision to disk if it is not there, then read and test it. */
export interface PolicyJob {
  /** Directory of the `RevisionStore`. */
  store: string;
  from:
    | { kind: 'stored'; id: string }
    | { kind: 'directory'; directory: string; baseRisks: string | undefined }
    | { kind: 'git'; repository: string; commit: string; path: string; baseRisks: string };
  provenance: Provenance;
  /** ISO 8601, UTC. */
  now: string;
}

/** What it answers, rules and risk entries in between and each only when the one before was taken. */
export type PolicyAnswer =
  | { kind: 'rules'; json: string }
  | { kind: 'risks'; piece: PackPiece }
  | {
      kind: 'done';
      record: RevisionRecord;
      revision: string;
      exemptions: readonly PlacedExemption[];
      warnings: string[];
      tests: number;
      failed: CaseResult[];
    }
  | { kind: 'refused'; reason: RefusalReason; problems: string[]; commit?: string };
