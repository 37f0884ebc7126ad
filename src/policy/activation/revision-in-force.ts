import { SourceRefusal } from '../sources/source-refusal.js';
import type { Offer } from './policy-origin.js';
import { readPolicyState, settleState, writePolicyState, type PolicyState } from './policy-state.js';
import type { PolicyEvent, SyncOutcome } from './policy-status.js';
import type { PolicyProcess, ReadyRevision } from './policy-process.js';
import type { RevisionRecord, RevisionStore } from './revision-store.js';
import type { RevisionWarnings } from './revision-warnings.js';

/** Revisions that are kept besides those in use, to go back to. */
const KEPT_REVISIONS = 10;

export interface RevisionInForceParts {
  reader: PolicyProcess;
  store: RevisionStore;
  /** Puts a revision in force; nothing waits in it. */
  apply: (revision: ReadyRevision) => void;
  /** The revision that a person wants, come what may; undefined where nobody does. */
  pin: { read(): Promise<string | undefined>; write(id: string | undefined): Promise<void> };
  tell: (event: PolicyEvent) => void;
  clock: () => Date;
}

/**
 * The revision that this host decides by, and what it remembers of others. Every change is on disk first, so whoever ends at
 * any line comes back with one revision, whole: the one before or the one after.
 */
export class RevisionInForce {
  state: PolicyState = { signed: [], approved: [] };
  record: RevisionRecord | undefined;
  activatedAt: string | undefined;
  /** What a person wants in force: an id, or what was written into the pin where this host has no such revision. */
  pinned: string | undefined;

  constructor(
    private readonly parts: RevisionInForceParts,
    private readonly warnings: RevisionWarnings,
  ) {}

  /**
   * Reads what was in force last, or what is pinned; undefined where this host has none yet, or none that is whole.
   *
   * @returns the revision, and what was wrong with others that should have come first
   */
  async restore(): Promise<{ revision: ReadyRevision | undefined; problems: string[] }> {
    const { store, pin } = this.parts;
    await store.open();
    this.state = await readPolicyState(store.directory);
    this.pinned = await pin.read();
    const problems: string[] = [];
    const current = await store.current();
    this.state = settleState(this.state, current);
    try {
      if (this.pinned !== undefined) this.pinned = await this.find(this.pinned);
    } catch (error) {
      if (!(error instanceof SourceRefusal)) throw error;
      // It stays a pin: whoever wrote it does not want what the source says.
      problems.push(`the pin ${this.pinned}: ${error.message}`);
    }
    for (const id of new Set([this.pinned, current, this.state.previous])) {
      if (id === undefined) continue;
      try {
        const revision = await this.read({ kind: 'stored', id });
        this.record = revision.record;
        this.warnings.ofDocuments = revision.warnings;
        // A state that was lost must not let an older history pass for new.
        this.state.acceptedCommit ??= revision.record.commit;
        return { revision, problems };
      } catch (error) {
        if (!(error instanceof SourceRefusal)) throw error;
        problems.push(`revision ${id.slice(0, 12)}: ${error.message}`);
      }
    }
    return { revision: undefined, problems };
  }

  /** Takes the first revision that this host has; whoever calls puts it in force. */
  async begin({ record, warnings }: ReadyRevision, state: Partial<PolicyState>): Promise<void> {
    await this.parts.store.setCurrent(record.id);
    this.record = record;
    await this.keep(state);
    this.warnings.ofDocuments = warnings;
  }

  /**
   * Puts a revision in the place of the one before.
   *
   * @param why in words, for the record
   * @param more what else of the state follows from it
   */
  async replace(
    revision: ReadyRevision,
    why: string,
    actor?: string,
    more: Partial<PolicyState> = {},
  ): Promise<SyncOutcome> {
    const { store, apply, clock } = this.parts;
    const { record } = revision;
    const from = this.record?.id;
    await this.keep({ activating: { to: record.id, ...(from !== undefined && { from }) } });
    await store.setCurrent(record.id);
    this.record = record;
    this.activatedAt = clock().toISOString();
    apply(revision);
    this.warnings.ofDocuments = revision.warnings;
    // It is in force whether or not there is room to say so; `restore` finds out by itself.
    await this.keep({ ...settleState(this.state, record.id), ...more }).catch(() => undefined);
    const { previous, held } = this.state;
    const inUse = [record.id, previous, held?.id, this.pinned].filter((id) => id !== undefined);
    await store.prune(KEPT_REVISIONS, new Set(inUse)).catch(() => undefined);
    return this.announce(record, why, actor);
  }

  /** The same documents may have come with another commit: decisions name the newer one. */
  renew(revision: ReadyRevision): void {
    const moved = revision.record.commit !== this.record?.commit;
    this.record = revision.record;
    if (moved) this.parts.apply(revision);
  }

  /** A person's word that a commit counts though it does not follow from the one accepted before. */
  async acceptHistory(commit: string, actor: string): Promise<void> {
    await this.keep({ acceptedCommit: commit, settled: undefined });
    const detail = `the history of commit ${commit.slice(0, 12)} is accepted`;
    this.parts.tell({ kind: 'policy-accepted', actor, detail });
  }

  async pin(id: string, actor: string): Promise<void> {
    await this.parts.pin.write(id);
    this.pinned = id;
    this.parts.tell({ kind: 'policy-pinned', actor, detail: `revision ${id.slice(0, 12)} stays in force` });
  }

  async unpin(actor: string): Promise<void> {
    await this.parts.pin.write(undefined);
    this.pinned = undefined;
    await this.keep({ settled: undefined });
    this.parts.tell({ kind: 'policy-unpinned', actor, detail: 'the source has its say again' });
  }

  /**
   * The id of a revision that this host has.
   *
   * @param key id or commit, or the beginning of one, at least 7 digits; or `previous`
   * @throws SourceRefusal
   */
  async find(key: string): Promise<string> {
    if (key === 'previous') {
      if (this.state.previous !== undefined) return this.state.previous;
      throw new SourceRefusal('ref-missing', 'no other revision was in force before');
    }
    const found = (await this.parts.store.list()).filter((record) => isMeant(record, key));
    if (found.length === 1) return found[0]!.id;
    throw new SourceRefusal(
      'ref-missing',
      found.length === 0 ? 'this host has no such revision' : 'several revisions begin like this',
    );
  }

  /** Brings a revision to disk where it is not there, and reads and tests it. @throws SourceRefusal */
  async read(
    from: Offer['from'],
    provenance: Offer['provenance'] = {},
    signal?: AbortSignal,
  ): Promise<ReadyRevision> {
    const { reader, store, clock } = this.parts;
    const job = { store: store.directory, from, provenance, now: clock().toISOString() };
    try {
      return await reader.run(job, signal);
    } catch (error) {
      // A process that was ended leaves what it had begun to write.
      await store.removeDrafts().catch(() => undefined);
      throw error;
    }
  }

  async keep(change: Partial<PolicyState>): Promise<void> {
    this.state = { ...this.state, ...change };
    await writePolicyState(this.parts.store.directory, this.state);
  }

  private announce(record: RevisionRecord, why: string, actor?: string): SyncOutcome {
    const from = record.commit === undefined ? '' : `, commit ${record.commit.slice(0, 12)}`;
    const signer = record.signer === undefined ? '' : `, signed by ${record.signer}`;
    const detail = `revision ${record.id.slice(0, 12)}${from}${signer} is in force: ${why}`;
    this.parts.tell({ kind: 'policy-activated', ...(actor !== undefined && { actor }), detail });
    return { result: 'activated', detail };
  }
}

/** Whether a revision is the one that somebody names by its id or commit, or the beginning of one. */
export function isMeant({ id, commit }: { id: string; commit?: string }, key: string): boolean {
  return key.length >= 7 && (id.startsWith(key) || commit?.startsWith(key) === true);
}
