import type { Decision } from '../decision/decision.js';
import type { GuardedFunction } from '../decision/guard-rules.js';
import type { GuardProgram } from '../host/guard/guard-program.js';
import type { GuardedDevice, GuardStatus } from '../host/guard/guard-status.js';
import { probeGuard } from '../host/guard/probe-guard.js';
import type { Probe } from '../host/host-capabilities.js';
import type { DomainRegistry } from '../libvirt/domain-registry.js';
import type { Mode } from '../policy/policy-terms.js';
import type { Part } from '../service/lifecycle.js';
import type { Journal } from '../store/journal.js';
import type { DomainRecord, EventKind } from '../store/records.js';

/** Milliseconds between two looks: a pin that is removed is back within this time and that of attaching. */
const INTERVAL_MS = 3_000;

export interface GuardWatchParts {
  program: Pick<GuardProgram, 'attach' | 'status' | 'setMode'>;
  registry: Pick<DomainRegistry, 'all'>;
  journal: Pick<Journal, 'event'>;
  host: string;
  hostMode: () => Mode;
  /** What decisions start from has changed. */
  onProbe: (probe: Probe) => void;
  /** The guard was attached anew, perhaps without the rules it had. */
  onAttached: () => void;
  /** The guard was found gone, and is back. */
  onGap: () => void;
  counts: (device: string, outcome: 'blocked' | 'observed', accesses: number) => void;
  log: { info(message: string): void; warn(message: string): void; error(message: string): void };
  clock: () => Date;
  intervalMs?: number;
}

interface Armed {
  decision: Decision;
  /** Milliseconds since 1970. */
  at: number;
  verified: boolean;
}

/**
 * Keeps the kernel guard in force and tells what it does: looks at it every few seconds, attaches it again where it is
 * gone, records the gap in the history of the domains that it concerns, and what each device was kept from.
 */
export class GuardWatch implements Part {
  readonly name = 'kernel-guard';
  private readonly armed = new Map<string, Armed>();
  private readonly counted = new Map<string, { blocked: number; observed: number }>();
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private lastSeen: Date | undefined;
  /** Why it could not be attached at the last try. */
  private problem: string | undefined;
  private probe: Probe = { state: 'unknown', detail: 'the kernel guard was not looked at yet' };

  constructor(private readonly parts: GuardWatchParts) {}

  /** What the last look found. */
  get found(): Probe {
    return this.probe;
  }

  /** Whether the guard was in force at the last look. */
  get ready(): boolean {
    return this.probe.state === 'ready';
  }

  async start(): Promise<void> {
    await this.look();
    this.timer = setInterval(() => void this.look(), this.parts.intervalMs ?? INTERVAL_MS);
  }

  /** The guard itself stays in force. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
  }

  /** One look after the other. */
  look(): Promise<void> {
    this.looking = this.looking.then(() => this.lookOnce());
    return this.looking;
  }

  /** Remembers what was armed, so that it can be told when the guard has seen the device since. */
  arm(decision: Decision, devices: readonly GuardedFunction[]): void {
    const at = this.parts.clock().getTime();
    const relying = devices.filter(({ reliedUpon }) => reliedUpon);
    for (const { device } of devices) this.armed.delete(device);
    for (const { device } of relying) this.armed.set(device, { decision, at, verified: false });
    if (relying.length === 0) return;
    const detail = `the kernel guard has the rules of ${relying.map(({ device }) => device).join(', ')}`;
    this.tell('armed', detail, decision);
    const open = relying.filter(({ unplaced }) => unplaced.length > 0);
    for (const { device, unplaced } of open) {
      const problem = `${device}: ${unplaced.join(', ')} stays open, since its registers are not known`;
      this.tell('started-unprotected', problem, decision);
    }
  }

  /** The rules of functions were removed, since no domain has them any more. */
  disarm(devices: readonly string[]): void {
    for (const device of devices) {
      const armed = this.armed.get(device);
      if (!this.armed.delete(device)) continue;
      const detail = `the kernel guard has no rules of ${device} any more: the host's standard holds for it`;
      this.tell('released', detail, armed?.decision);
    }
  }

  /** The host's switch was turned. */
  async follow(mode: Mode): Promise<void> {
    if (!this.ready && this.lastSeen === undefined) return;
    try {
      await this.parts.program.setMode(mode);
    } catch (error) {
      this.parts.log.error(`the kernel guard does not follow the switch: ${messageOf(error)}`);
    }
    await this.look();
  }

  private async lookOnce(): Promise<void> {
    let status = await this.statusNow();
    if (!status?.attached || !status.tested) {
      await this.attach();
      status = await this.statusNow();
    }
    const probe = await probeGuard({
      status: () => (status ? Promise.resolve(status) : this.parts.program.status()),
    });
    if (status?.attached && status.tested) this.problem = undefined;
    if (status && probe.state !== 'ready' && this.problem !== undefined) probe.detail += `: ${this.problem}`;
    if (probe.state !== this.probe.state || probe.detail !== this.probe.detail) {
      this.probe = probe;
      this.parts.onProbe(probe);
    }
    if (!status) return;
    if (status.attached && status.tested) this.lastSeen = this.parts.clock();
    for (const device of status.devices) this.take(device);
  }

  private async statusNow(): Promise<GuardStatus | undefined> {
    try {
      return await this.parts.program.status();
    } catch {
      return undefined;
    }
  }

  private async attach(): Promise<void> {
    const { program, hostMode, log, clock } = this.parts;
    try {
      const attached = await program.attach(hostMode());
      this.problem = undefined;
      if (attached === 'now') {
        log.info('the kernel guard is attached');
        if (this.lastSeen) this.tellGap(this.lastSeen, clock());
        this.parts.onAttached();
      }
    } catch (error) {
      const problem = messageOf(error);
      if (problem !== this.problem) log.warn(`the kernel guard is not in force: ${problem}`);
      this.problem = problem;
    }
  }

  private tellGap(from: Date, to: Date): void {
    const detail = `the kernel guard was not in force at some time between ${from.toISOString()} and ${to.toISOString()}`;
    this.parts.log.error(detail);
    this.parts.onGap();
    const domains = this.running();
    for (const domain of domains) {
      if (domain.devices.some((device) => this.armed.has(device)))
        this.tellDomain('guard-gap', detail, domain);
    }
    if (domains.length === 0) this.tell('guard-gap', detail);
  }

  private take({ device, blocked, observed, lastAt }: GuardedDevice): void {
    const armed = this.armed.get(device);
    if (armed && !armed.verified && lastAt !== undefined && lastAt > armed.at) {
      armed.verified = true;
      this.tell(
        'verified',
        `the kernel guard has judged accesses to ${device} since it was armed`,
        armed.decision,
      );
    }
    const before = this.counted.get(device);
    this.counted.set(device, { blocked, observed });
    // What was counted before this service started was told then, or by another one.
    if (!before) return;
    this.tellAccesses('access-blocked', device, blocked - before.blocked);
    this.tellAccesses('access-observed', device, observed - before.observed);
  }

  private tellAccesses(kind: 'access-blocked' | 'access-observed', device: string, accesses: number): void {
    if (accesses <= 0) return;
    const outcome = kind === 'access-blocked' ? 'blocked' : 'observed';
    this.parts.counts(device, outcome, accesses);
    const what = outcome === 'blocked' ? 'blocked' : 'let pass, though its rules say to block them,';
    const detail = `the kernel guard ${what} ${accesses} accesses to ${device}`;
    const domain = this.running().find(({ devices }) => devices.includes(device));
    if (domain) this.tellDomain(kind, detail, domain);
    else this.tell(kind, detail, this.armed.get(device)?.decision);
  }

  private running(): DomainRecord[] {
    return [...this.parts.registry.all()].filter(({ active }) => active);
  }

  private tellDomain(kind: EventKind, detail: string, { uuid, name, decisionId }: DomainRecord): void {
    this.record(kind, detail, {
      domainUuid: uuid,
      domainName: name,
      ...(decisionId !== undefined && { decisionId }),
    });
  }

  private tell(kind: EventKind, detail: string, decision?: Decision): void {
    const { id, domain } = decision ?? {};
    this.record(kind, detail, {
      ...(id !== undefined && { decisionId: id }),
      ...(domain && { domainName: domain.name }),
      ...(domain?.uuid !== undefined && { domainUuid: domain.uuid }),
    });
  }

  private record(
    kind: EventKind,
    detail: string,
    about: { decisionId?: string; domainUuid?: string; domainName?: string },
  ): void {
    const { journal, host, clock } = this.parts;
    journal.event({ host, at: clock().toISOString(), kind, detail, ...about });
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
