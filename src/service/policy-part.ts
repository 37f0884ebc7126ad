import type { Logger } from 'pino';
import type { Component } from '../api/components.js';
import type { DecisionService } from '../decision/decision.service.js';
import { FollowedFile } from '../host/followed-file.js';
import type { PolicyActivation } from '../policy/activation/policy-activation.js';
import type { SyncOutcome } from '../policy/activation/policy-status.js';
import { policyInForce } from '../policy/policy-in-force.js';
import type { PolicySet } from '../policy/policy-set.js';
import type { Part } from './lifecycle.js';

/** Longer than an id with white space around it. */
const MAX_PIN_BYTES = 256;
/** Milliseconds from one look at the clock to the next: exemptions and rollouts begin and end by it. */
const CLOCK_MS = 15_000;
/** Milliseconds from one attempt to the next while libvirt is away, and the longest while the source is. */
const WAITING_MS = 2_000;
const MAX_BACK_OFF_MS = 30 * 60_000;

export interface PolicyPartOptions {
  activation: PolicyActivation;
  decisions: DecisionService;
  pinFile: string;
  /** Seconds; 0: never by itself. */
  pollSeconds: number;
  /** What the rules come to has changed with time. */
  timePassed: () => void;
  logger: Logger;
  clock: () => Date;
}

/** Looks at the source of policies again and again, and at the clock. */
export class PolicyPart implements Part {
  readonly name = 'policies';
  private readonly pin: FollowedFile;
  private next: NodeJS.Timeout | undefined;
  private ticking: NodeJS.Timeout | undefined;
  private failures = 0;
  private digest: string | undefined;
  private policy: PolicySet | undefined;
  private stopped = false;
  private running: Promise<unknown> = Promise.resolve();

  constructor(private readonly options: PolicyPartOptions) {
    this.pin = new FollowedFile({
      path: options.pinFile,
      maxBytes: MAX_PIN_BYTES,
      onText: (text) => this.follow(text),
      onProblem: ({ message }) => options.logger.error(message),
    });
  }

  get component(): Component {
    return {
      name: 'policies',
      critical: false,
      status: () => {
        const { inForce, held, lastSync, pinned } = this.options.activation.status();
        const what = inForce ? `revision ${inForce.id.slice(0, 12)}` : 'the policies of the package';
        if (lastSync?.result === 'refused') {
          return {
            state: 'degraded',
            detail: `${what} stays in force: ${lastSync.reason}: ${lastSync.detail}`,
          };
        }
        if (held)
          return { state: 'degraded', detail: `${what}; ${held.id.slice(0, 12)} waits: ${held.reason}` };
        if (pinned !== undefined && pinned !== inForce?.id) {
          return {
            state: 'degraded',
            detail: `${what} stays in force: this host has not what ${pinned} is pinned to`,
          };
        }
        return { state: 'up', detail: `${what}${pinned === undefined ? '' : ', pinned'}` };
      },
    };
  }

  async start(): Promise<void> {
    this.digest = this.digestNow();
    this.policy = this.options.decisions.basis.policy;
    this.ticking = setInterval(() => this.tick(), CLOCK_MS).unref();
    await this.pin.start();
    this.schedule(0);
  }

  async stop(): Promise<void> {
    this.stopped = true;
    clearTimeout(this.next);
    clearInterval(this.ticking);
    this.pin.close();
    await this.running;
  }

  /** Looks at the source now, and plans the next look. */
  async sync(): Promise<SyncOutcome> {
    clearTimeout(this.next);
    const { activation, logger } = this.options;
    try {
      const outcome = await activation.sync();
      this.failures = outcome.result === 'refused' ? this.failures + 1 : 0;
      this.schedule(outcome.result === 'waiting' ? WAITING_MS : this.pauseMs());
      return outcome;
    } catch (error) {
      logger.error({ err: error }, 'the source of policies could not be looked at');
      this.failures += 1;
      this.schedule(this.pauseMs());
      throw error;
    }
  }

  /** The interval, longer with each failure, and never the same for all nodes of a fleet. */
  private pauseMs(): number {
    const { pollSeconds } = this.options;
    if (pollSeconds === 0) return Infinity;
    const backedOff = Math.min(MAX_BACK_OFF_MS, pollSeconds * 1000 * 2 ** Math.min(this.failures, 10));
    return Math.max(pollSeconds * 1000, backedOff) * (0.8 + 0.4 * Math.random());
  }

  private schedule(ms: number): void {
    if (this.stopped || ms === Infinity) return;
    clearTimeout(this.next);
    this.next = setTimeout(() => {
      this.running = this.sync().catch(() => undefined);
    }, ms).unref();
  }

  private follow(text: string | undefined): void {
    const key = text?.trim() || undefined;
    const { activation, logger } = this.options;
    void activation
      .pinChanged(key)
      .catch((error: unknown) =>
        logger.error({ err: error }, `the pin in ${this.options.pinFile} does not count`),
      );
  }

  /**
   * Compares what is in force with what was, so that a clock that jumps is no matter. What was activated since the last
   * look may have ended since, too, and then comes to the same as what there was before it.
   */
  private tick(): void {
    const { policy } = this.options.decisions.basis;
    const digest = this.digestNow();
    if (digest === this.digest && policy === this.policy) return;
    this.digest = digest;
    this.policy = policy;
    this.options.timePassed();
  }

  private digestNow(): string | undefined {
    const { policy, node = { name: '', labels: [] } } = this.options.decisions.basis;
    return policyInForce(policy, node, this.options.clock().toISOString()).digest;
  }
}
