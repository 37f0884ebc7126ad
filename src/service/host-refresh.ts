import type { Logger } from 'pino';
import type { Settings } from '../config/settings.js';
import { sha256 } from '../canonical-json.js';
import type { DecisionService } from '../decision/decision.service.js';
import { probeHost } from '../host/probe-host.js';
import type { Part } from './lifecycle.js';

/** Milliseconds between two looks: an emulator that was upgraded is known after this time at the latest. */
const INTERVAL_MS = 60 * 1000;

/** Probes the host again and again. Only what was replaced since is asked anew, so that a look costs some stat calls. */
export class HostRefresh implements Part {
  readonly name = 'host probes';
  private timer: NodeJS.Timeout | undefined;
  private running: Promise<void> = Promise.resolve();

  constructor(
    private readonly settings: Settings,
    private readonly decisions: DecisionService,
    private readonly logger: Logger,
  ) {}

  start(): Promise<void> {
    this.timer = setInterval(() => void this.refresh(), INTERVAL_MS);
    return Promise.resolve();
  }

  async stop(): Promise<void> {
    clearInterval(this.timer);
    await this.running;
  }

  /** One look after the other. */
  refresh(): Promise<void> {
    this.running = this.running.then(() => this.look());
    return this.running;
  }

  private async look(): Promise<void> {
    try {
      const host = await probeHost(this.settings);
      // The guard's part knows its own state better than a probe.
      const { kernelGuard, ...before } = this.decisions.basis.host;
      const now = { ...host, kernelGuard };
      if (sha256(now) === sha256({ ...before, kernelGuard })) return;
      this.decisions.replace({ host: now });
      this.logger.info({ filter: now.qemuConfigFilter }, 'what this host can enforce has changed');
    } catch (error) {
      this.logger.error({ err: error }, 'the host could not be probed; what was known stays in use');
    }
  }
}
