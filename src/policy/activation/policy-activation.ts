import { setImmediate as pause } from 'node:timers/promises';
import type { DecisionBasis } from '../../decision/decision.service.js';
import { EffectReckoner, type JudgedDomain, type PolicyEffect } from '../effect/policy-effect.js';
import { SourceRefusal, type RefusalReason } from '../sources/source-refusal.js';
import { holdBack } from './brake.js';
import type { Offer, PolicyOrigin } from './policy-origin.js';
import {
  readPolicyState,
  settleState,
  writePolicyState,
  type HeldRevision,
  type PolicyState,
} from './policy-state.js';
import type { PolicyThread, ReadyRevision } from './policy-thread.js';
import type { RevisionRecord, RevisionStore } from './revision-store.js';
import { RevisionWarnings } from './revision-warnings.js';

/** Revisions that are kept besides those in use, to go back to. */
const KEPT_REVISIONS = 10;

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

export interface PolicyActivationParts {
  origin: PolicyOrigin;
  thread: PolicyThread;
  store: RevisionStore;
  /** What decisions are made of now. */
  basis: () => DecisionBasis;
  /** Puts a revision in force; nothing waits in it. */
  apply: (revision: ReadyRevision) => void;
  /** This host's domains with what is known of their past; undefined while libvirt is away. */
  domains: () => Promise<readonly JudgedDomain[] | undefined>;
  hostdevNetworks: () => readonly string[];
  /** The revision that a person wants, come what may; undefined where nobody does. */
  pin: { read(): Promise<string | undefined>; write(id: string | undefined): Promise<void> };
  /** Percent of the domains with assigned devices that may be denied or get other guest hardware without a person's word. */
  brakePercent: number;
  tell: (event: PolicyEvent) => void;
  clock: () => Date;
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

/**
 * Brings revisions from their source into force: fetched, checked, tested, weighed against this host's domains, and then put
 * in place of the one before, on disk first. Whatever fails leaves the one before.
 */
export class PolicyActivation {
  private state: PolicyState = { signed: [], approved: [] };
  private current: RevisionRecord | undefined;
  private activatedAt: string | undefined;
  private pinned: string | undefined;
  private lastSync: PolicyStatus['lastSync'];
  private lastRefusal: PolicyStatus['lastRefusal'];
  private readonly warnings: RevisionWarnings;
  private told = '';
  private working: Promise<unknown> = Promise.resolve();

  constructor(private readonly parts: PolicyActivationParts) {
    this.warnings = new RevisionWarnings(parts.basis);
  }

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
        this.current = revision.record;
        this.warnings.ofDocuments = revision.warnings;
        return { revision, problems };
      } catch (error) {
        if (!(error instanceof SourceRefusal)) throw error;
        problems.push(`revision ${id.slice(0, 12)}: ${error.message}`);
      }
    }
    return { revision: undefined, problems };
  }

  /** Reads the source for the first time, with nothing in force before it. @throws SourceRefusal */
  async begin(): Promise<ReadyRevision> {
    const { origin, clock, store } = this.parts;
    const offer = await origin.look(this.state, clock());
    const revision = await this.read(offer.from, offer.provenance);
    refuseFailed(revision);
    await store.setCurrent(revision.record.id);
    this.current = revision.record;
    await this.keep({ ...this.accepted(offer), settled: offer.fingerprint });
    this.warnings.ofDocuments = revision.warnings;
    return revision;
  }

  status(): PolicyStatus {
    const { current, activatedAt } = this;
    const { policy } = this.parts.basis();
    return {
      source: this.parts.origin.name,
      inForce: current && {
        id: current.id,
        revision: policy.revision,
        ...(current.commit !== undefined && { commit: current.commit }),
        ...(current.signer !== undefined && { signer: current.signer }),
        ...(activatedAt !== undefined && { activatedAt }),
      },
      pinned: this.pinned,
      held: this.state.held,
      lastSync: this.lastSync,
      lastRefusal: this.lastRefusal,
      warnings: this.warnings.lines,
    };
  }

  /** Looks at the source now; one look after the other. */
  sync(): Promise<SyncOutcome> {
    return this.inTurn(async () => {
      const outcome = await this.look();
      await this.warnings.look();
      const at = this.parts.clock().toISOString();
      this.lastSync = { ...outcome, at };
      if (outcome.result === 'refused') this.lastRefusal = { ...outcome, at };
      return outcome;
    });
  }

  /**
   * Lets a held revision pass the brake.
   *
   * @param key id or commit, or the beginning of one, at least 7 digits
   * @throws SourceRefusal where that one is not held
   */
  approve(key: string, actor: string): Promise<SyncOutcome> {
    return this.onRequest(async () => {
      const { held } = this.state;
      if (!held || !isMeant(held, key)) {
        throw new SourceRefusal(
          'ref-missing',
          held ? `it is ${held.id.slice(0, 12)} that waits` : 'no revision waits',
        );
      }
      await this.keep({ approved: [...this.state.approved, held.id] });
      const revision = await this.read({ kind: 'stored', id: held.id }, {});
      return this.activate(revision, `approved: ${held.reason}`, actor);
    });
  }

  /**
   * Puts a revision in force that this host has, and keeps it whatever the source says.
   *
   * @param key as of `approve`, or `previous`
   */
  pin(key: string, actor: string): Promise<SyncOutcome> {
    return this.onRequest(async () => {
      const id = await this.find(key);
      const revision = await this.read({ kind: 'stored', id });
      await this.parts.pin.write(id);
      this.pinned = id;
      this.parts.tell({ kind: 'policy-pinned', actor, detail: `revision ${id.slice(0, 12)} stays in force` });
      if (id === this.current?.id) return { result: 'unchanged', detail: `${id.slice(0, 12)} is in force` };
      return this.activate(revision, 'pinned', actor);
    });
  }

  /** Lets the source have its say again. */
  async unpin(actor: string): Promise<SyncOutcome> {
    await this.inTurn(async () => {
      await this.parts.pin.write(undefined);
      this.pinned = undefined;
      await this.keep({ settled: undefined });
      this.parts.tell({ kind: 'policy-unpinned', actor, detail: 'the source has its say again' });
    });
    return this.sync();
  }

  /** The pin was changed by hand: somebody wrote or removed its file. */
  async pinChanged(key: string | undefined): Promise<SyncOutcome | undefined> {
    if (key === this.pinned) return undefined;
    if (key === undefined) return this.unpin('file');
    if (this.pinned !== undefined && this.pinned === this.current?.id && isMeant(this.current, key))
      return undefined;
    return this.pin(key, 'file');
  }

  /** In turn; what the disk does not take is an answer, not a fault. */
  private onRequest(work: () => Promise<SyncOutcome>): Promise<SyncOutcome> {
    return this.inTurn(async () => {
      try {
        return await work();
      } catch (error) {
        const refusal = asRefusal(error);
        if (!refusal || error instanceof SourceRefusal) throw error;
        return this.refused(error);
      }
    });
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.working.then(work, work);
    this.working = turn.catch(() => undefined);
    return turn;
  }

  private async look(): Promise<SyncOutcome> {
    const { origin, clock } = this.parts;
    try {
      const offer = await origin.look(this.state, clock());
      if (this.pinned !== undefined) {
        return { result: 'pinned', detail: `${this.pinned.slice(0, 12)} is pinned` };
      }
      if (offer.fingerprint === this.state.settled) {
        const { held } = this.state;
        if (held) return { result: 'held', detail: held.reason };
        if (this.lastSync?.result === 'refused' && this.lastRefusal) return { ...this.lastRefusal };
        return { result: 'unchanged', detail: 'the source has nothing new' };
      }
      return await this.consider(offer);
    } catch (error) {
      return this.refused(error);
    }
  }

  private async consider(offer: Offer): Promise<SyncOutcome> {
    const { clock } = this.parts;
    let revision: ReadyRevision;
    try {
      revision = await this.read(offer.from, offer.provenance);
      refuseFailed(revision);
    } catch (error) {
      // What is wrong with the documents stays wrong; a disk may have room again.
      const settled = error instanceof SourceRefusal && ['invalid', 'tests-failed'].includes(error.reason);
      if (settled) await this.keep({ settled: offer.fingerprint, held: undefined });
      throw error;
    }
    const { record } = revision;
    if (record.id === this.current?.id) {
      const moved = record.commit !== this.current.commit;
      this.current = record;
      if (moved) this.parts.apply(revision);
      await this.keep({ ...this.accepted(offer), settled: offer.fingerprint, held: undefined });
      return { result: 'unchanged', detail: 'the documents are those in force' };
    }
    const effect = await this.weigh(revision);
    if (!effect)
      return {
        result: 'waiting',
        detail: 'libvirt is away, so it is not known what the revision would change',
      };
    const held = this.state.approved.includes(record.id)
      ? undefined
      : holdBack(record, effect, this.parts.brakePercent, clock().toISOString());
    if (held) {
      await this.keep({ ...this.accepted(offer), settled: offer.fingerprint, held });
      const detail = `revision ${record.id.slice(0, 12)} waits: ${held.reason}`;
      this.parts.tell({ kind: 'policy-held', detail });
      return { result: 'held', detail };
    }
    // Before anything is in force: a host that ends in between must not take an older history for new.
    await this.keep(this.accepted(offer));
    const changed = `${effect.affected.length} of ${effect.looked} domains with assigned devices are decided otherwise`;
    return this.activate(revision, changed, undefined, { settled: offer.fingerprint, held: undefined });
  }

  /** What a revision would change for this host's domains; undefined while that cannot be known. */
  private async weigh({ policy, risks }: ReadyRevision): Promise<PolicyEffect | undefined> {
    const { domains, basis, clock, hostdevNetworks } = this.parts;
    const all = await domains();
    if (!all) return undefined;
    // As the rules say it: a switch that is off now may be turned on.
    const common = {
      evaluatedAt: clock().toISOString(),
      hostdevNetworks: hostdevNetworks(),
      hostMode: 'enforce' as const,
    };
    const before = { ...basis(), ...common };
    const reckoner = new EffectReckoner(before, { ...before, policy, risks });
    for (const domain of all) {
      reckoner.look(domain);
      await pause();
    }
    return reckoner.result();
  }

  /** On disk first: who ends in between comes back with the new one, whole. */
  private async activate(
    revision: ReadyRevision,
    why: string,
    actor?: string,
    more: Partial<PolicyState> = {},
  ): Promise<SyncOutcome> {
    const { store, apply, clock } = this.parts;
    const { record } = revision;
    const from = this.current?.id;
    await this.keep({ activating: { to: record.id, ...(from !== undefined && { from }) } });
    await store.setCurrent(record.id);
    this.current = record;
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

  private announce(record: RevisionRecord, why: string, actor?: string): SyncOutcome {
    const from = record.commit === undefined ? '' : `, commit ${record.commit.slice(0, 12)}`;
    const signer = record.signer === undefined ? '' : `, signed by ${record.signer}`;
    const detail = `revision ${record.id.slice(0, 12)}${from}${signer} is in force: ${why}`;
    this.parts.tell({ kind: 'policy-activated', ...(actor !== undefined && { actor }), detail });
    return { result: 'activated', detail };
  }

  private async find(key: string): Promise<string> {
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

  private read(from: Offer['from'], provenance: Offer['provenance'] = {}): Promise<ReadyRevision> {
    const { thread, store, clock } = this.parts;
    return thread.run({ store: store.directory, from, provenance, now: clock().toISOString() });
  }

  private accepted({ provenance, payload }: Offer): Partial<PolicyState> {
    return {
      ...(provenance.commit !== undefined && { acceptedCommit: provenance.commit }),
      ...(payload !== undefined && {
        signed: [...this.state.signed.filter((known) => known !== payload), payload],
      }),
    };
  }

  private async keep(change: Partial<PolicyState>): Promise<void> {
    this.state = { ...this.state, ...change };
    await writePolicyState(this.parts.store.directory, this.state);
  }

  /** What went wrong, told once. */
  private refused(error: unknown): SyncOutcome {
    const refusal = asRefusal(error);
    if (!refusal) throw error;
    const { reason, message, commit } = refusal;
    const detail = `${commit === undefined ? '' : `commit ${commit.slice(0, 12)}: `}${message}`;
    if (this.told !== detail) this.parts.tell({ kind: 'policy-refused', detail: `${reason}: ${detail}` });
    this.told = detail;
    return { result: 'refused', reason, detail };
  }
}

function refuseFailed({ failed, record }: ReadyRevision): void {
  if (failed.length === 0) return;
  const lines = failed.map(({ test, name, failures }) => `${test}: ${name}: ${failures.join('; ')}`);
  throw new SourceRefusal('tests-failed', lines.slice(0, 20).join('\n'), record.commit);
}

function asRefusal(error: unknown): SourceRefusal | undefined {
  if (error instanceof SourceRefusal) return error;
  if (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^E[A-Z]+$/.test(error.code)
  ) {
    return new SourceRefusal('disk', `${error.message.slice(0, 200)}`);
  }
  return undefined;
}

/** Whether a revision is the one that somebody names by its id or commit, or the beginning of one. */
function isMeant({ id, commit }: { id: string; commit?: string }, key: string): boolean {
  return key.length >= 7 && (id.startsWith(key) || commit?.startsWith(key) === true);
}
