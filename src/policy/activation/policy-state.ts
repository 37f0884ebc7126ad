import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RefusalReason } from '../sources/source-refusal.js';
import { writeAtomically } from '../../host/atomic-file.js';

/** A revision that waits for a person, and why. */
export interface HeldRevision {
  id: string;
  commit?: string;
  signer?: string;
  /** ISO 8601, UTC. */
  since: string;
  reason: string;
  /** Domains with assigned devices, and those of them that would be denied or get other guest hardware. */
  domains: number;
  disruptive: number;
  /** The first of them, with what would change. */
  examples: { domain: string; changes: string[] }[];
}

/** Why a revision was not taken. */
export interface RefusalReport {
  reason: RefusalReason;
  detail: string;
  commit?: string;
}

/** What must survive a restart beside the revisions themselves. */
export interface PolicyState {
  /** The newest commit whose history was accepted. */
  acceptedCommit?: string;
  /** See `SignedCommit.payload`; the newest last. */
  signed: string[];
  /** Ids of revisions that a person let pass the brake. */
  approved: string[];
  held?: HeldRevision;
  /** Id of the revision that was in force before the one that is. */
  previous?: string;
  /** A change of the revision in force that was begun, by ids. */
  activating?: { from?: string; to: string } | undefined;
  /** Identifies what was last brought to an end, so that it is not begun again. */
  settled?: string;
  /** Why that was not taken, where it was not. */
  refused?: RefusalReport | undefined;
}

const FILE = 'state.json';
const MAX_KEPT = 200;

/** Reads the state; one that is missing or broken is as if nothing had been accepted yet. */
export async function readPolicyState(directory: string): Promise<PolicyState> {
  try {
    const state = JSON.parse(await readFile(join(directory, FILE), 'utf8')) as PolicyState;
    if (Array.isArray(state.signed) && Array.isArray(state.approved)) return state;
  } catch {
    // As below.
  }
  return { signed: [], approved: [] };
}

/** The state with what follows from the revision in force: one that is, waits no longer, and came after another. */
export function settleState(state: PolicyState, current: string | undefined): PolicyState {
  const { activating, held, previous } = state;
  const from = activating?.to === current ? activating?.from : undefined;
  return {
    ...state,
    activating: undefined,
    held: held?.id === current ? undefined : held,
    previous: from === undefined || from === current ? previous : from,
  };
}

/** Writes it so that a reader, and a host that loses power, finds the old or the new one. */
export async function writePolicyState(directory: string, state: PolicyState): Promise<void> {
  const kept = {
    ...state,
    signed: state.signed.slice(-MAX_KEPT),
    approved: state.approved.slice(-MAX_KEPT),
  };
  await writeAtomically(join(directory, FILE), JSON.stringify(kept, null, 2), 0o640);
}
