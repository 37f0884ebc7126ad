import type { Decision } from '../../decision/decision.js';
import type { FilterWatch } from '../../filter/filter-watch.js';
import type { DecisionRecorder } from '../../store/decision-recorder.js';
import type { JudgedDomain } from '../../policy/effect/policy-effect.js';
import type { Journal } from '../../store/journal.js';
import type { FunctionRelease } from '../../guard/function-release.js';
import type { DomainRegistry } from '../domain-registry.js';
import type { HostdevNetworks } from '../hostdev-networks.js';
import type { StartKnowledge } from '../hooked-starts.js';
import { LibvirtError } from '../rpc/libvirt-error.js';
import type { DomainEvent, LibvirtClient } from '../rpc/libvirt-client.js';
import type { DomainRef } from '../rpc/types.js';
import { domainDocuments, isGone, LIST_PERSISTENT } from './domain-documents.js';
import { DomainHistory } from './domain-history.js';
import { DomainSurvey, type Presence, type Survey } from './domain-survey.js';
import { RedefinitionGuard } from './redefinition-guard.js';
import { SettlingDomains } from './settling-domains.js';

/** Domains that are asked about at once; libvirt works on five calls of a client at a time. */
const CONCURRENCY = 8;

/** `VIR_CONNECT_LIST_DOMAINS_ACTIVE` */
const LIST_ACTIVE = 1;

/** `virDomainEventType` */
const LIFECYCLE = { defined: 0, undefined: 1, started: 2, stopped: 5 } as const;
/** `virDomainEventStartedDetailType` */
const STARTED_MIGRATED = 1;

export interface ReconcilerParts {
  recorder: DecisionRecorder;
  registry: DomainRegistry;
  journal: Journal;
  networks: HostdevNetworks;
  /** What the hook knew of starts. */
  starts: StartKnowledge;
  host: string;
  /** Gives the functions of a running domain their rules in the kernel guard, where they are not in force. */
  armRunning?: (decision: Decision) => { problem: string } | undefined;
  /** Takes the rules from those that a domain has given up. */
  release?: FunctionRelease;
  /** Reads back whether a running domain has the config filter that it relies on. */
  filterWatch?: Pick<FilterWatch, 'check' | 'forget'>;
  /** Whether inactive domains are defined again with what policy demands. */
  redefine: boolean;
  log: { info(message: string): void; warn(message: string): void };
  clock?: () => Date;
}

/**
 * Keeps what is known of this host's domains true: all of them when libvirt has been reached, then each as its events come.
 * Never in anybody's way: what it changes takes effect at a domain's next start.
 */
export class Reconciler {
  private readonly survey: DomainSurvey;
  private readonly guard: RedefinitionGuard;
  private readonly history: DomainHistory;
  private readonly settling = new SettlingDomains((domain, cause) => void this.lookNow(domain, cause));
  private client: LibvirtClient | undefined;

  constructor(private readonly parts: ReconcilerParts) {
    const clock = parts.clock ?? (() => new Date());
    this.history = new DomainHistory({ ...parts, clock });
    this.survey = new DomainSurvey({
      recorder: parts.recorder,
      registry: parts.registry,
      hostdevNetworks: () => parts.networks.names,
    });
    this.guard = new RedefinitionGuard(clock);
  }

  /**
   * Takes over a new connection: events first, so that nothing is missed, then every domain.
   *
   * @throws Error where the connection is lost meanwhile
   */
  async connected(client: LibvirtClient): Promise<void> {
    this.client = client;
    await client.onDomainEvent((event) => this.takeEvent(event));
    await this.reconcileAll();
  }

  disconnected(): void {
    this.client = undefined;
    this.settling.clear();
  }

  /** Looks at every domain again: at connection, and when what decisions are made of has changed. */
  async reconcileAll(): Promise<void> {
    const { client } = this;
    if (!client) return;
    const { registry, log } = this.parts;
    const startedAt = performance.now();
    const asOf = this.parts.release?.now ?? 0;
    const [all, active, persistent] = await Promise.all([
      client.listDomains(),
      client.listDomains(LIST_ACTIVE),
      client.listDomains(LIST_PERSISTENT),
    ]);
    const isActive = new Set(active.map(({ uuid }) => uuid));
    const isPersistent = new Set(persistent.map(({ uuid }) => uuid));
    const waiting = [...all];
    const work = async () => {
      for (let next = waiting.pop(); next; next = waiting.pop()) {
        const presence = { active: isActive.has(next.uuid), persistent: isPersistent.has(next.uuid) };
        await this.look(client, next, presence, asOf);
      }
    };
    await Promise.all(Array.from({ length: CONCURRENCY }, work));
    const present = new Set(all.map(({ uuid }) => uuid));
    for (const record of registry.all()) {
      if (!present.has(record.uuid) && (record.active || record.persistent)) this.markGone(record, asOf);
    }
    registry.markListed();
    log.info(`${all.length} domains reconciled in ${Math.round(performance.now() - startedAt)} ms`);
  }

  /**
   * Every domain as its next start finds it, with what is known of its past; undefined while libvirt is away.
   *
   * @throws Error where the connection is lost meanwhile
   */
  async documents(): Promise<JudgedDomain[] | undefined> {
    return this.client && domainDocuments(this.client, this.parts.registry);
  }

  /** A domain is about to start: of a start that fails libvirt sends no event. */
  starting({ uuid, name }: { uuid?: string; name: string }): void {
    if (this.client && uuid !== undefined) this.settling.later({ uuid: uuid.toLowerCase(), name, id: -1 });
  }

  private takeEvent(event: DomainEvent): void {
    const { domain } = event;
    if (event.kind !== 'lifecycle') {
      if (event.kind === 'device-added' || event.kind === 'device-removed') {
        this.parts.filterWatch?.forget(domain.uuid);
        this.settling.soon(domain);
      }
      return;
    }
    switch (event.event) {
      case LIFECYCLE.started:
        this.history.began(domain);
        if (event.detail === STARTED_MIGRATED)
          this.history.tell('migrated-in', domain, 'it came from another host');
        break;
      case LIFECYCLE.stopped:
        this.parts.release?.stopped(domain.uuid);
        this.parts.registry.change(domain.uuid, domain.name, { active: false });
        this.parts.filterWatch?.forget(domain.uuid);
        this.history.tell('stopped', domain, 'it stopped');
        break;
      case LIFECYCLE.undefined:
        this.parts.registry.change(domain.uuid, domain.name, { persistent: false });
        this.history.tell('undefined', domain, 'it was undefined');
        break;
      case LIFECYCLE.defined:
        break;
      default:
        return;
    }
    this.settling.soon(domain, event.event);
  }

  private async lookNow(domain: DomainRef, cause: number | undefined): Promise<void> {
    const { client } = this;
    if (!client) return;
    const asOf = this.parts.release?.now ?? 0;
    try {
      const [active, persistent] = await Promise.all([client.isActive(domain), client.isPersistent(domain)]);
      const survey = await this.look(client, domain, { active, persistent }, asOf, cause);
      if (survey && cause === LIFECYCLE.started) this.history.tellStarted(survey);
    } catch (error) {
      if (isGone(error)) {
        // Of one that was gone before it was ever seen there is nothing to keep.
        const known = this.parts.registry.get(domain.uuid);
        if (known) this.recordGone(known, asOf);
      } else this.parts.log.warn(`${domain.name} could not be looked at: ${messageOf(error)}`);
    }
  }

  /** One domain; what is wrong with it keeps nobody from looking at the others. */
  private async look(
    client: LibvirtClient,
    domain: DomainRef,
    presence: Presence,
    asOf: number,
    cause?: number,
  ): Promise<Survey | undefined> {
    try {
      const had = this.parts.release?.functionsOf(domain.uuid) ?? [];
      const wasUnprotected = this.parts.registry.get(domain.uuid)?.unprotected ?? false;
      const survey = await this.survey.take(client, domain, presence);
      const unarmed = presence.active ? this.parts.armRunning?.(survey.decision) : undefined;
      if (unarmed) this.parts.log.warn(`${domain.name}: ${unarmed.problem}`);
      this.parts.release?.settle(domain.uuid, had, presence.active ? survey.record.devices : undefined, asOf);
      if (presence.active) await this.readBackFilter(client, domain, survey);
      else this.parts.filterWatch?.forget(domain.uuid);
      if (survey.redefinition !== undefined) await this.redefine(client, domain, survey, cause);
      else if (
        presence.active &&
        survey.record.unprotected &&
        !wasUnprotected &&
        cause !== LIFECYCLE.started
      ) {
        this.history.tellStarted(survey);
      }
      return survey;
    } catch (error) {
      if (isGone(error)) return undefined;
      if (!(error instanceof LibvirtError) && this.client !== client) throw error;
      this.parts.log.warn(`${domain.name} could not be looked at: ${messageOf(error)}`);
      return undefined;
    }
  }

  private async readBackFilter(client: LibvirtClient, domain: DomainRef, survey: Survey): Promise<void> {
    const unverified = await this.parts.filterWatch?.check(client, domain, survey);
    if (!unverified) return;
    survey.unverified = unverified.reasons;
    if (!unverified.missing) return;
    survey.record = this.parts.registry.change(domain.uuid, domain.name, { unprotected: true });
  }

  private async redefine(
    client: LibvirtClient,
    domain: DomainRef,
    survey: Survey,
    cause: number | undefined,
  ): Promise<void> {
    const { registry, redefine } = this.parts;
    const { decision } = survey;
    if (cause === LIFECYCLE.defined) {
      this.history.tell(
        'bypassed',
        domain,
        'it was defined around the proxy, without what policy demands',
        decision.id,
      );
    }
    if (!redefine || decision.verdict === 'denied' || !this.guard.allows(domain.uuid)) return;
    // A saved guest has the hardware in its memory that its definition gave it.
    if (await client.hasManagedSave(domain)) return;
    await client.defineDomain(survey.redefinition!);
    registry.change(domain.uuid, domain.name, { unprotected: false, decisionId: decision.id });
    this.history.tell(
      'redefined',
      domain,
      decision.edits.map(({ target, summary }) => `${target}: ${summary}`).join('; '),
      decision.id,
    );
  }

  private markGone({ uuid, name }: Pick<DomainRef, 'uuid' | 'name'>, asOf: number): void {
    this.recordGone({ uuid, name }, asOf);
    this.history.tell('undefined', { uuid, name }, 'it went while nobody was watching');
  }

  private recordGone({ uuid, name }: Pick<DomainRef, 'uuid' | 'name'>, asOf: number): void {
    const had = this.parts.release?.functionsOf(uuid) ?? [];
    this.parts.registry.change(uuid, name, { active: false, persistent: false });
    this.parts.filterWatch?.forget(uuid);
    this.parts.release?.settle(uuid, had, undefined, asOf);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
