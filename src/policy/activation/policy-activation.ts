import { SourceRefusal } from '../sources/source-refusal.js';
import { holdBack } from './brake.js';
import { effectOnHost, type HostParts } from './effect-on-host.js';
import type { Offer, PolicyOrigin } from './policy-origin.js';
import type { PolicyState } from './policy-state.js';
import type { PolicyStatus, SyncOutcome, UnderWay } from './policy-status.js';
import type { ReadyRevision } from './policy-process.js';
import { isMeant, RevisionInForce, type RevisionInForceParts } from './revision-in-force.js';
import { asRefusal, isFinal, refuseFailed, reportOf } from './revision-refusal.js';
import { RevisionWarnings } from './revision-warnings.js';

export interface PolicyActivationParts extends RevisionInForceParts, HostParts {
  origin: PolicyOrigin;
  /** Percent of the domains with assigned devices that may be denied or get other guest hardware without a person's word. */
  brakePercent: number;
  /** Told of each look at the source. */
  looked?: (outcome: SyncOutcome) => void;
}

type StepTeller = (step: UnderWay['step']) => void;

/**
 * Brings revisions from their source into force: fetched, checked, tested, weighed against this host's domains, and then put
 * in place of the one before. Whatever fails leaves the one before.
 */
export class PolicyActivation {
  private readonly inForce: RevisionInForce;
  private lastSync: PolicyStatus['lastSync'];
  private lastRefusal: PolicyStatus['lastRefusal'];
  private lastRequest: PolicyStatus['lastRequest'];
  private readonly warnings: RevisionWarnings;
  private told = '';
  private readonly underWay = new Set<UnderWay>();
  /** The look at the source that goes on, and the one after it, which everybody who asks meanwhile shares. */
  private looking: Promise<unknown> = Promise.resolve();
  private nextLook: Promise<SyncOutcome> | undefined;
  /** What changes which revision is in force, one after the other; nobody in here waits for a remote. */
  private working: Promise<unknown> = Promise.resolve();
  private considering = new AbortController();

  constructor(private readonly parts: PolicyActivationParts) {
    this.warnings = new RevisionWarnings(parts.basis);
    this.inForce = new RevisionInForce(parts, this.warnings);
  }

  /** As `RevisionInForce.restore`. */
  restore(): Promise<{ revision: ReadyRevision | undefined; problems: string[] }> {
    return this.inForce.restore();
  }

  /** Reads the source for the first time, with nothing in force before it. @throws SourceRefusal */
  async begin(): Promise<ReadyRevision> {
    const { origin, clock } = this.parts;
    const offer = await origin.look(this.inForce.state, clock());
    const revision = await this.inForce.read(offer.from, offer.provenance);
    refuseFailed(revision);
    await this.inForce.begin(revision, { ...this.accepted(offer), settled: offer.fingerprint });
    return revision;
  }

  status(): PolicyStatus {
    const { record, activatedAt, pinned, state } = this.inForce;
    const { policy } = this.parts.basis();
    return {
      source: this.parts.origin.name,
      inForce: record && {
        id: record.id,
        revision: policy.revision,
        ...(record.commit !== undefined && { commit: record.commit }),
        ...(record.signer !== undefined && { signer: record.signer }),
        ...(activatedAt !== undefined && { activatedAt }),
      },
      pinned,
      held: state.held,
      lastSync: this.lastSync,
      lastRefusal: this.lastRefusal,
      lastRequest: this.lastRequest,
      underWay: [...this.underWay],
      warnings: this.warnings.lines,
    };
  }

  /** Looks at the source now; one look after the other. */
  sync(): Promise<SyncOutcome> {
    this.nextLook ??= this.looking.then(() => {
      this.nextLook = undefined;
      return this.lookNow();
    });
    const { nextLook } = this;
    this.looking = nextLook.catch(() => undefined);
    return nextLook;
  }

  /**
   * Lets a held revision pass the brake, or accepts a commit that does not follow from the one accepted before.
   *
   * @param key id or commit, or the beginning of one, at least 7 digits
   * @throws SourceRefusal `ref-missing` where that one does not wait
   */
  async approve(key: string, actor: string): Promise<SyncOutcome> {
    const commit = this.otherHistory;
    if (commit !== undefined && isMeant({ id: commit }, key)) {
      await this.inTurn(() => this.inForce.acceptHistory(commit, actor));
      return this.sync();
    }
    return this.onRequest(async () => {
      const { held, approved } = this.inForce.state;
      if (!held || !isMeant(held, key)) {
        throw new SourceRefusal(
          'ref-missing',
          held ? `it is ${held.id.slice(0, 12)} that waits` : 'no revision waits',
        );
      }
      await this.inForce.keep({ approved: [...approved, held.id] });
      const revision = await this.inForce.read({ kind: 'stored', id: held.id });
      return this.inForce.replace(revision, `approved: ${held.reason}`, actor);
    });
  }

  /**
   * Puts a revision in force that this host has, and keeps it whatever the source says. It waits for no remote, and what is
   * being read or weighed is given up for it.
   *
   * @param key as of `approve`, or `previous`
   * @throws SourceRefusal `ref-missing` where this host has no such revision
   */
  async pin(key: string, actor: string): Promise<SyncOutcome> {
    const id = await this.inForce.find(key);
    this.considering.abort();
    return this.onRequest(async () => {
      const revision = await this.inForce.read({ kind: 'stored', id });
      await this.inForce.pin(id, actor);
      if (id === this.inForce.record?.id) {
        return { result: 'unchanged', detail: `${id.slice(0, 12)} is in force` };
      }
      return this.inForce.replace(revision, 'pinned', actor);
    });
  }

  /** Lets the source have its say again. */
  async unpin(actor: string): Promise<SyncOutcome> {
    await this.inTurn(() => this.inForce.unpin(actor));
    return this.sync();
  }

  /** The pin was changed by hand: somebody wrote or removed its file. */
  async pinChanged(key: string | undefined): Promise<SyncOutcome | undefined> {
    const { pinned, record } = this.inForce;
    if (key === pinned) return undefined;
    if (key === undefined) return this.unpin('file');
    if (record && pinned === record.id && isMeant(record, key)) return undefined;
    return this.pin(key, 'file');
  }

  /** The commit that was refused last because of its history. */
  private get otherHistory(): string | undefined {
    const { result, reason, commit } = this.lastSync ?? {};
    return result === 'refused' && (reason === 'rolled-back' || reason === 'rewritten') ? commit : undefined;
  }

  /** In turn; what is wrong with a revision, or what the disk does not take, is an answer, not a fault. */
  private onRequest(work: () => Promise<SyncOutcome>): Promise<SyncOutcome> {
    const answer = async () => {
      try {
        return await work();
      } catch (error) {
        if (error instanceof SourceRefusal && error.reason === 'ref-missing') throw error;
        return this.refused(error);
      }
    };
    return this.track('reading', () =>
      this.inTurn(async () => {
        const outcome = await answer();
        this.lastRequest = { ...outcome, at: this.now() };
        if (outcome.result === 'refused') this.lastRefusal = this.lastRequest;
        return outcome;
      }),
    );
  }

  private inTurn<T>(work: () => Promise<T>): Promise<T> {
    const turn = this.working.then(work, work);
    this.working = turn.catch(() => undefined);
    return turn;
  }

  /** @param work is given what it says by which step it is at */
  private async track<T>(first: UnderWay['step'], work: (at: StepTeller) => Promise<T>): Promise<T> {
    const underWay = { step: first, since: this.now() };
    this.underWay.add(underWay);
    try {
      return await work((step) => Object.assign(underWay, { step, since: this.now() }));
    } finally {
      this.underWay.delete(underWay);
    }
  }

  private lookNow(): Promise<SyncOutcome> {
    return this.track('fetching', async (at) => {
      const outcome = await this.look(at);
      await this.warnings.look();
      this.lastSync = { ...outcome, at: this.now() };
      if (outcome.result === 'refused') this.lastRefusal = this.lastSync;
      this.parts.looked?.(outcome);
      return outcome;
    });
  }

  private async look(at: StepTeller): Promise<SyncOutcome> {
    const { origin, clock } = this.parts;
    try {
      const offer = await origin.look(this.inForce.state, clock());
      return await this.inTurn(() => this.consider(offer, at));
    } catch (error) {
      return this.refused(error);
    }
  }

  private async consider(offer: Offer, at: StepTeller): Promise<SyncOutcome> {
    const { pinned, state } = this.inForce;
    if (pinned !== undefined) return { result: 'pinned', detail: `${pinned.slice(0, 12)} is pinned` };
    if (offer.fingerprint === state.settled) {
      if (state.held) return { result: 'held', detail: state.held.reason };
      if (state.refused) return { result: 'refused', ...state.refused };
      return { result: 'unchanged', detail: 'the source has nothing new' };
    }
    this.considering = new AbortController();
    const { signal } = this.considering;
    try {
      at('reading');
      const revision = await this.readOffered(offer, signal);
      at('weighing');
      return await this.bringIntoForce(offer, revision, signal);
    } catch (error) {
      if (!signal.aborted) throw error;
      return { result: 'waiting', detail: 'given up for a revision that somebody pins' };
    }
  }

  private async bringIntoForce(
    offer: Offer,
    revision: ReadyRevision,
    signal: AbortSignal,
  ): Promise<SyncOutcome> {
    const { record } = revision;
    const settled = { settled: offer.fingerprint, held: undefined, refused: undefined };
    if (record.id === this.inForce.record?.id) {
      this.inForce.renew(revision);
      await this.inForce.keep({ ...this.accepted(offer), ...settled });
      return { result: 'unchanged', detail: 'the documents are those in force' };
    }
    const effect = await effectOnHost(revision, this.parts, signal);
    if (!effect) {
      return {
        result: 'waiting',
        detail: 'libvirt is away, so it is not known what the revision would change',
      };
    }
    const { brakePercent, tell } = this.parts;
    const held = this.inForce.state.approved.includes(record.id)
      ? undefined
      : holdBack(record, effect.worst, brakePercent, this.now());
    if (held) {
      await this.inForce.keep({ ...this.accepted(offer), ...settled, held });
      const detail = `revision ${record.id.slice(0, 12)} waits: ${held.reason}`;
      tell({ kind: 'policy-held', detail });
      return { result: 'held', detail };
    }
    // Before anything is in force: a host that ends in between must not take an older history for new.
    await this.inForce.keep(this.accepted(offer));
    const { affected, looked } = effect.now;
    const changed = `${affected.length} of ${looked} domains with assigned devices are decided otherwise`;
    return this.inForce.replace(revision, changed, undefined, settled);
  }

  private async readOffered(
    { from, provenance, fingerprint }: Offer,
    signal: AbortSignal,
  ): Promise<ReadyRevision> {
    try {
      const revision = await this.inForce.read(from, provenance, signal);
      refuseFailed(revision);
      return revision;
    } catch (error) {
      if (!(error instanceof SourceRefusal)) throw error;
      const refusal = new SourceRefusal(error.reason, error.message, provenance.commit);
      if (isFinal(refusal)) {
        await this.inForce.keep({ settled: fingerprint, held: undefined, refused: reportOf(refusal) });
      }
      throw refusal;
    }
  }

  /** What the state says of a commit whose history was accepted. */
  private accepted({ provenance, payload }: Offer): Partial<PolicyState> {
    return {
      ...(provenance.commit !== undefined && { acceptedCommit: provenance.commit }),
      ...(payload !== undefined && {
        signed: [...this.inForce.state.signed.filter((known) => known !== payload), payload],
      }),
    };
  }

  /** What went wrong, told once. */
  private refused(error: unknown): SyncOutcome {
    const refusal = asRefusal(error);
    if (!refusal) throw error;
    const report = reportOf(refusal);
    const { reason, detail } = report;
    if (this.told !== detail) this.parts.tell({ kind: 'policy-refused', detail: `${reason}: ${detail}` });
    this.told = detail;
    return { result: 'refused', ...report };
  }

  private now(): string {
    return this.parts.clock().toISOString();
  }
}
