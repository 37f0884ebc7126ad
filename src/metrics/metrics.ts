import { collectDefaultMetrics, Counter, Gauge, Histogram, Registry } from 'prom-client';
import type { Verdict } from '../decision/decision.js';
import type { Surface } from '../decision/occasion.js';
import { HOOK_OPERATIONS, type HookOperation } from '../libvirt/hook/hook-answer.js';
import { PROXY_OUTCOMES, type ProxyOutcome } from '../libvirt/proxy/call-outcome.js';
import { EXEMPTION_STATES, exemptionState } from '../policy/exemption-state.js';
import { READ_BACKS, type ReadBack } from '../filter/filter-watch.js';
import type { PlacedExemption } from '../policy/policy-set.js';
import type { PolicyStatus } from '../policy/activation/policy-status.js';
import { MODES, type Mode } from '../policy/policy-terms.js';

/** What the hook told libvirt. */
export const HOOK_OUTCOMES = ['proceed', 'veto', 'replace', 'failed-open', 'failed-closed'] as const;
export type HookOutcome = (typeof HOOK_OUTCOMES)[number];

/** What is looked at when somebody asks; a part that is not there has no gauge, since unknown is not zero. */
export interface MetricSources {
  /** Running domains without what policy asks for; undefined where that is not known now. */
  unprotectedRunning?: () => number | undefined;
  /** `pending`: entries not yet written; `lost`: entries that never will be, since the start. */
  store?: () => { state: 'ok' | 'away'; pending: number; lost: number };
  /** Running domains whose QEMU was not seen to have the config filter that they rely on. */
  unverifiedRunning?: () => number | undefined;
  /** Running domains that do not have what policy asks for now. */
  staleRunning?: () => number | undefined;
  policy?: () => PolicyStatus & { exemptions: readonly PlacedExemption[] };
  libvirtConnected?: () => boolean;
  mode?: () => Mode;
  /** Whether the kernel guard is attached and answers its test. */
  guardReady?: () => boolean;
  /** Of the RFC's parameters, as far as policy asks for them; undefined where it does not, or no module has them. */
  parameters?: () => { configured: boolean; live: boolean; verified: boolean } | undefined;
}

/** Of the text format. */
export const METRICS_CONTENT_TYPE = Registry.PROMETHEUS_CONTENT_TYPE;

const PARAMETER_HELP = {
  configured: '1 where modprobe.d sets the parameters of vfio-pci as policy asks for.',
  live: '1 where the loaded module has the parameters as policy asks for.',
  verified: '1 where an access was seen blocked by them since the start.',
};

/** In seconds. A decision about a domain with some devices takes a few milliseconds. */
const DECIDE_BUCKETS = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 1];

/** What Prometheus is told; names and labels are an interface that alert rules and dashboards rely on. */
export class Metrics {
  private readonly registry = new Registry();
  private readonly decisions = this.counter('decisions_total', 'Decisions made.', ['surface', 'verdict']);
  private readonly proxyCalls = this.counter('proxy_calls_total', 'Calls of libvirt clients.', ['outcome']);
  private readonly hookCalls = this.counter('hook_calls_total', 'Calls of the libvirt hook.', [
    'operation',
    'outcome',
  ]);
  private readonly guardedAccesses = this.counter(
    'guard_accesses_total',
    'Accesses to a device that the kernel guard blocked, or would have blocked.',
    ['device', 'outcome'],
  );
  private readonly parameterAccesses = this.counter(
    'kernel_parameters_blocked_total',
    'Accesses to a device that the parameters of vfio-pci blocked, by audit records.',
    ['device'],
  );
  private readonly guardGaps = this.counter(
    'guard_gaps_total',
    'Times that the kernel guard was found gone.',
    [],
  );
  private readonly filterReadBacks = this.counter(
    'filter_read_backs_total',
    'Looks whether the QEMU of a running domain has its config filter.',
    ['outcome'],
  );
  private readonly policySyncs = this.counter(
    'policy_sync_total',
    'Looks at the source of policies, by what they came to: a result, or the reason of a refusal.',
    ['result'],
  );
  private readonly decideSeconds = new Histogram({
    name: 'vfio_warden_decide_duration_seconds',
    help: 'Time to make a decision, without I/O.',
    labelNames: ['surface'],
    buckets: DECIDE_BUCKETS,
    registers: [this.registry],
  });

  constructor(version: string) {
    collectDefaultMetrics({ register: this.registry });
    this.gauge('build_info', 'Always 1; the labels tell what runs.', ['version', 'node']).set(
      { version, node: process.version },
      1,
    );
    // A series that begins with its first event has no increase to alert about.
    for (const outcome of PROXY_OUTCOMES) this.proxyCalls.inc({ outcome }, 0);
    for (const outcome of READ_BACKS) this.filterReadBacks.inc({ outcome }, 0);
    for (const operation of HOOK_OPERATIONS) {
      for (const outcome of HOOK_OUTCOMES) this.hookCalls.inc({ operation, outcome }, 0);
    }
  }

  /** @param seconds that the decision itself took */
  decided(surface: Surface, verdict: Verdict, seconds: number): void {
    this.decisions.inc({ surface, verdict });
    this.decideSeconds.observe({ surface }, seconds);
  }

  proxyCall(outcome: ProxyOutcome): void {
    this.proxyCalls.inc({ outcome });
  }

  hookCall(operation: HookOperation, outcome: HookOutcome): void {
    this.hookCalls.inc({ operation, outcome });
  }

  guardedAccess(device: string, outcome: 'blocked' | 'observed', accesses: number): void {
    this.guardedAccesses.inc({ device, outcome }, accesses);
  }

  parametersBlocked(device: string, accesses: number): void {
    this.parameterAccesses.inc({ device }, accesses);
  }

  filterReadBack(outcome: ReadBack): void {
    this.filterReadBacks.inc({ outcome });
  }

  guardGap(): void {
    this.guardGaps.inc();
  }

  /** @param result of the look, or the reason of its refusal */
  policySynced(result: string): void {
    this.policySyncs.inc({ result });
  }

  /** Says where the gauges come from; each source is given once. */
  watch({
    unprotectedRunning,
    unverifiedRunning,
    staleRunning,
    policy,
    store,
    libvirtConnected,
    mode,
    guardReady,
    parameters,
  }: MetricSources): void {
    if (policy) this.watchPolicy(policy);
    if (staleRunning) {
      this.watched(
        'stale_running_domains',
        'Running domains that cannot have what policy asks for now before their next start.',
        staleRunning,
      );
    }
    if (unverifiedRunning) {
      this.watched(
        'filter_unverified_domains',
        'Running domains whose QEMU was not seen to have the config filter that they rely on.',
        unverifiedRunning,
      );
    }
    if (unprotectedRunning) {
      this.watched(
        'unprotected_running_domains',
        'Running domains without what policy asks for.',
        unprotectedRunning,
      );
    }
    if (store) {
      this.watched('store_up', '1 while the decision store is written to.', () =>
        Number(store().state === 'ok'),
      );
      this.watched('store_pending_entries', 'Entries not yet written.', () => store().pending);
      this.watched('store_lost_entries', 'Entries lost since the start.', () => store().lost);
    }
    if (libvirtConnected) {
      this.watched('libvirt_connected', '1 while libvirt is connected.', () => Number(libvirtConnected()));
    }
    if (guardReady) {
      this.watched('guard_ready', '1 while the kernel guard is attached and answers its test.', () =>
        Number(guardReady()),
      );
    }
    if (parameters) {
      for (const aspect of ['configured', 'live', 'verified'] as const) {
        this.watched(`kernel_parameters_${aspect}`, PARAMETER_HELP[aspect], () => {
          const seen = parameters();
          return seen && Number(seen[aspect]);
        });
      }
    }
    if (mode) {
      const gauge: Gauge = this.gauge(
        'mode',
        '1 for the mode that the switch of the host is at.',
        ['mode'],
        () => {
          for (const candidate of MODES) gauge.set({ mode: candidate }, Number(candidate === mode()));
        },
      );
    }
  }

  /** All metrics in the text format. */
  scrape(): Promise<string> {
    return this.registry.metrics();
  }

  private watchPolicy(read: NonNullable<MetricSources['policy']>): void {
    const info: Gauge = this.gauge(
      'policy_info',
      'Always 1; the labels tell what is in force.',
      ['revision', 'commit', 'pinned'],
      () => {
        info.reset();
        const { inForce, pinned } = read();
        if (!inForce) return;
        const { id: revision, commit = '' } = inForce;
        info.set({ revision, commit, pinned: String(pinned !== undefined) }, 1);
      },
    );
    this.watched('policy_held', '1 while a revision waits for a person.', () =>
      Number(read().held !== undefined),
    );
    this.watched('policy_last_sync_failed', '1 where the last look at the source was refused.', () =>
      Number(read().lastSync?.result === 'refused'),
    );
    this.watched('policy_last_sync_timestamp_seconds', 'When the source was looked at last.', () => {
      const { lastSync } = read();
      return lastSync && Date.parse(lastSync.at) / 1000;
    });
    const exemptions: Gauge = this.gauge('exemptions', 'Exemptions by their state.', ['state'], () => {
      const states = read().exemptions.map((exemption) => exemptionState(exemption, Date.now()));
      for (const state of EXEMPTION_STATES) {
        exemptions.set({ state }, states.filter((each) => each === state).length);
      }
    });
  }

  private watched(name: string, help: string, read: () => number | undefined): void {
    const gauge: Gauge = this.gauge(name, help, [], () => {
      const value = read();
      if (value === undefined) gauge.remove();
      else gauge.set(value);
    });
  }

  private counter(name: string, help: string, labelNames: string[]): Counter {
    return new Counter({ name: `vfio_warden_${name}`, help, labelNames, registers: [this.registry] });
  }

  private gauge(name: string, help: string, labelNames: string[], collect?: () => void): Gauge {
    return new Gauge({
      name: `vfio_warden_${name}`,
      help,
      labelNames,
      registers: [this.registry],
      ...(collect && { collect }),
    });
  }
}
