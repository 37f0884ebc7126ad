import { setImmediate as pause } from 'node:timers/promises';
import type { DecisionBasis } from '../../decision/decision.service.js';
import { EffectReckoner, type JudgedDomain, type PolicyEffect } from '../effect/policy-effect.js';
import { SourceRefusal } from '../sources/source-refusal.js';
import { holdBack } from './brake.js';
import type { Offer, PolicyOrigin } from './policy-origin.js';
import type { PolicyState } from './policy-state.js';
import type { PolicyStatus, SyncOutcome } from './policy-status.js';
import type { ReadyRevision } from './policy-thread.js';
import { isMeant, RevisionInForce, type RevisionInForceParts } from './revision-in-force.js';
import { asRefusal, isFinal, refuseFailed } from './revision-refusal.js';
import { RevisionWarnings } from './revision-warnings.js';

export interface PolicyActivationParts extends RevisionInForceParts {
  origin: PolicyOrigin;
  /** What decisions are made of now. */
  basis: () => DecisionBasis;
  /** This host's domains with what is known of their past; undefined while libvirt is away. */
  domains: () => Promise<readonly JudgedDomain[] | undefined>;
  hostdevNetworks: () => readonly string[];
  /** Percent of the domains with assigned devices that may be denied or get other guest hardware without a person's word. */
  brakePercent: number;
}

/**
 * Brings revisions from their source into force: fetched, checked, tested, weighed against this host's domains, and then put
 * in place of the one before. Whatever fails leaves the one before.
 */
export class PolicyActivation {
  private readonly inForce: RevisionInForce;
  private lastSync: PolicyStatus['lastSync'];
  private lastRefusal: PolicyStatus['lastRefusal'];
  private readonly warnings: RevisionWarnings;
  private told = '';
  private working: Promise<unknown> = Promise.resolve();

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
   * Puts a revision in force that this host has, and keeps it whatever the source says.
   *
   * @param key as of `approve`, or `previous`
   * @throws SourceRefusal where this host has no such revision
   */
  pin(key: string, actor: string): Promise<SyncOutcome> {
    return this.onRequest(async () => {
      const id = await this.inForce.find(key);
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
      const offer = await origin.look(this.inForce.state, clock());
      const { pinned, state } = this.inForce;
      if (pinned !== undefined) return { result: 'pinned', detail: `${pinned.slice(0, 12)} is pinned` };
      if (offer.fingerprint === state.settled) {
        if (state.held) return { result: 'held', detail: state.held.reason };
        if (this.lastSync?.result === 'refused' && this.lastRefusal) return { ...this.lastRefusal };
        return { result: 'unchanged', detail: 'the source has nothing new' };
      }
      return await this.consider(offer);
    } catch (error) {
      return this.refused(error);
    }
  }

  private async consider(offer: Offer): Promise<SyncOutcome> {
    const revision = await this.readOffered(offer);
    const { record } = revision;
    const settled = { settled: offer.fingerprint, held: undefined };
    if (record.id === this.inForce.record?.id) {
      this.inForce.renew(revision);
      await this.inForce.keep({ ...this.accepted(offer), ...settled });
      return { result: 'unchanged', detail: 'the documents are those in force' };
    }
    const effect = await this.weigh(revision);
    if (!effect) {
      return {
        result: 'waiting',
        detail: 'libvirt is away, so it is not known what the revision would change',
      };
    }
    const { brakePercent, clock, tell } = this.parts;
    const held = this.inForce.state.approved.includes(record.id)
      ? undefined
      : holdBack(record, effect, brakePercent, clock().toISOString());
    if (held) {
      await this.inForce.keep({ ...this.accepted(offer), ...settled, held });
      const detail = `revision ${record.id.slice(0, 12)} waits: ${held.reason}`;
      tell({ kind: 'policy-held', detail });
      return { result: 'held', detail };
    }
    // Before anything is in force: a host that ends in between must not take an older history for new.
    await this.inForce.keep(this.accepted(offer));
    const changed = `${effect.affected.length} of ${effect.looked} domains with assigned devices are decided otherwise`;
    return this.inForce.replace(revision, changed, undefined, settled);
  }

  private async readOffered({ from, provenance, fingerprint }: Offer): Promise<ReadyRevision> {
    try {
      const revision = await this.inForce.read(from, provenance);
      refuseFailed(revision);
      return revision;
    } catch (error) {
      if (isFinal(error)) await this.inForce.keep({ settled: fingerprint, held: undefined });
      throw error;
    }
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
    const { reason, message, commit } = refusal;
    const detail = `${commit === undefined ? '' : `commit ${commit.slice(0, 12)}: `}${message}`;
    if (this.told !== detail) this.parts.tell({ kind: 'policy-refused', detail: `${reason}: ${detail}` });
    this.told = detail;
    return { result: 'refused', reason, detail };
  }
}
