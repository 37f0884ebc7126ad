import type { Component } from '../api/components.js';
import type { DecisionBasis } from '../decision/decision.service.js';
import { wantedParameters } from '../decision/wanted-parameters.js';
import type { HostCapabilities } from '../host/host-capabilities.js';
import { probeKernelParameters } from '../host/probe-kernel.js';
import type { AuditTrail } from '../host/vfio-parameters/audit-trail.js';
import type { ParametersInForce, ParametersVerified } from '../host/vfio-parameters/parameters-in-force.js';
import type {
  ParameterStatus,
  ParameterStep,
  VfioParameters,
} from '../host/vfio-parameters/vfio-parameters.js';
import type { DomainRegistry } from '../libvirt/domain-registry.js';
import type { Journal } from '../store/journal.js';
import type { EventKind } from '../store/records.js';
import type { Part } from './lifecycle.js';

/** Milliseconds between two looks: what somebody changes is noticed, and put right, within this time. */
const INTERVAL_MS = 5_000;

const STEPS: Record<ParameterStep, string> = {
  configured: 'the file of modprobe.d was written',
  unconfigured: 'the file of modprobe.d was removed',
  'set-live': 'block_pci_unassigned_write was set',
  'reset-live': 'block_pci_unassigned_write was set back',
  'set-live-read': 'block_pci_unassigned_read was set',
  'reset-live-read': 'block_pci_unassigned_read was set back',
};

export interface ParameterWatchParts {
  parameters: Pick<VfioParameters, 'converge'>;
  trail: Pick<AuditTrail, 'take' | 'close' | 'blind'>;
  registry: Pick<DomainRegistry, 'all'>;
  journal: Pick<Journal, 'event'>;
  host: string;
  sysfs: string;
  basis: () => DecisionBasis;
  /** What decisions start from has changed. */
  onProbe: (probe: HostCapabilities['kernelParameters']) => void;
  /** Accesses that the kernel kept from a device. */
  blocked: (device: string, accesses: number) => void;
  log: { info(message: string): void; warn(message: string): void; error(message: string): void };
  clock: () => Date;
  intervalMs?: number;
}

/**
 * Keeps the RFC's parameters of vfio-pci as policy asks for, on a kernel that has them: looks every few seconds, puts right
 * what somebody changed, and notices when the module goes or comes.
 */
export class ParameterWatch implements Part {
  readonly name = 'kernel-parameters';
  private timer: NodeJS.Timeout | undefined;
  private looking: Promise<void> = Promise.resolve();
  private last: ParameterStatus | undefined;
  private wanted: string | undefined;
  private problem: string | undefined;
  private verifiedBy: { device: string; at: number } | undefined;

  constructor(private readonly parts: ParameterWatchParts) {}

  /** What the last look found; undefined before the first one. */
  get status(): ParametersInForce | undefined {
    return this.last && { ...this.last, verified: this.verified() };
  }

  /** As metrics tell it; undefined where nothing is asked for. */
  get inForce(): { configured: boolean; live: boolean; verified: boolean } | undefined {
    if (!this.last?.wanted) return undefined;
    const { configured, live } = this.last;
    return {
      configured: configured.state === 'as-wanted',
      live: live.state === 'as-wanted',
      verified: this.verifiedBy !== undefined,
    };
  }

  get component(): Component {
    return {
      name: this.name,
      critical: false,
      status: () => {
        if (!this.last) return { state: 'up', detail: 'not looked at yet' };
        const { configured, live, wanted } = this.last;
        if (!wanted) return { state: 'up', detail: live.detail };
        const odd = [configured, live].filter(({ state }) => state === 'differs' || state === 'pending');
        if (odd.length > 0) return { state: 'degraded', detail: odd.map(({ detail }) => detail).join('; ') };
        return { state: 'up', detail: `${live.detail}; ${configured.detail}` };
      },
    };
  }

  async start(): Promise<void> {
    await this.look();
    this.timer = setInterval(() => void this.look(), this.parts.intervalMs ?? INTERVAL_MS);
  }

  /** What is set stays set: it belongs to the VMs that run. */
  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.looking;
    this.parts.trail.close();
  }

  /** One look after the other. */
  look(): Promise<void> {
    this.looking = this.looking.then(() =>
      this.lookOnce().catch((error: unknown) =>
        this.parts.log.error(`the parameters of vfio-pci could not be looked at: ${String(error)}`),
      ),
    );
    return this.looking;
  }

  private async lookOnce(): Promise<void> {
    const { basis, parameters, clock, sysfs, onProbe } = this.parts;
    const held = basis().inventory.functions.filter(({ driver }) => driver?.includes('vfio'));
    const status = await parameters.converge(
      () => wantedParameters(basis(), clock().toISOString()),
      new Set(held.map(({ vendor, device }) => `${vendor}:${device}`)),
    );
    this.tellChanges(status);
    this.last = status;
    const probe = await probeKernelParameters(sysfs);
    if (JSON.stringify(probe) !== JSON.stringify(basis().host.kernelParameters)) onProbe(probe);
    if (status.module) this.takeAudit();
  }

  /** What was done because policy asks for something else now is a change; what was done although it does not, a drift. */
  private tellChanges(status: ParameterStatus): void {
    const { steps, module, wanted, configured, live } = status;
    const asked = JSON.stringify(wanted);
    const drift = this.last !== undefined && asked === this.wanted && wanted !== undefined;
    this.wanted = asked;
    if (steps.length > 0) {
      const detail = `${steps.map((step) => STEPS[step]).join(', ')} (${module}: ${live.detail}; ${configured.detail})`;
      this.parts.log[drift ? 'error' : 'info'](detail);
      this.tell(
        drift ? 'parameters-drift' : 'parameters-changed',
        drift ? `somebody changed it: ${detail}` : detail,
      );
    }
    const { values: before } = this.last ?? {};
    if (before && !status.values) {
      const detail = `the module with the parameters was unloaded, ${before.blockWrite ? 'with' : 'without'} them in force`;
      this.parts.log.warn(detail);
      this.tell('parameters-drift', detail);
    }
    const problem = [configured, live].find(({ state }) => state === 'differs')?.detail;
    if (problem !== undefined && problem !== this.problem) this.parts.log.warn(problem);
    this.problem = problem;
  }

  private takeAudit(): void {
    const counts = new Map<string, number>();
    for (const { device, blocked, at } of this.parts.trail.take()) {
      if (!blocked) continue;
      counts.set(device, (counts.get(device) ?? 0) + 1);
      this.verifiedBy = { device, at };
    }
    const running = [...this.parts.registry.all()].filter(({ active }) => active);
    for (const [device, accesses] of counts) {
      this.parts.blocked(device, accesses);
      const domain = running.find(({ devices }) => devices.includes(device));
      const about = domain && {
        domainUuid: domain.uuid,
        domainName: domain.name,
        ...(domain.decisionId !== undefined && { decisionId: domain.decisionId }),
      };
      this.tell('access-blocked', `vfio-pci kept ${accesses} accesses from ${device}`, about);
    }
  }

  private verified(): ParametersVerified {
    if (!this.verifiedBy) {
      const { blind } = this.parts.trail;
      const detail = blind
        ? `no audit record can be seen: ${blind} (see "The parameters of vfio-pci" in docs/runbook.md)`
        : 'no audit record of a blocked access was seen since the service started';
      return { state: 'not-seen', detail };
    }
    const { device, at } = this.verifiedBy;
    const detail = `an access to ${device} was blocked at ${new Date(at).toISOString()}, as the audit record says`;
    return { state: 'seen', detail };
  }

  private tell(
    kind: EventKind,
    detail: string,
    about?: { decisionId?: string; domainUuid: string; domainName: string },
  ): void {
    const { journal, host, clock } = this.parts;
    journal.event({ host, at: clock().toISOString(), kind, detail, ...about });
  }
}
