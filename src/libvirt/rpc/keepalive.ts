export interface KeepaliveSettings {
  /** How long nothing may come before libvirt is asked whether it is there. */
  intervalMs: number;
  /** How many questions may stay without an answer, each for `intervalMs`. */
  count: number;
}

/** Finds out whether the other side is still there, as libvirt's own clients do: it asks only when nothing else comes. */
export class Keepalive {
  private timer: NodeJS.Timeout;
  private lastHeard = performance.now();
  private unanswered = 0;

  constructor(
    private readonly settings: KeepaliveSettings,
    private readonly ping: () => void,
    private readonly giveUp: () => void,
  ) {
    this.timer = this.schedule(settings.intervalMs);
  }

  /** Something came from the other side, no matter what. */
  heard(): void {
    this.lastHeard = performance.now();
    this.unanswered = 0;
  }

  stop(): void {
    clearTimeout(this.timer);
  }

  private schedule(delayMs: number): NodeJS.Timeout {
    return setTimeout(() => this.check(), delayMs);
  }

  private check(): void {
    const { intervalMs, count } = this.settings;
    const silentMs = performance.now() - this.lastHeard;
    if (this.unanswered === 0 && silentMs < intervalMs) {
      this.timer = this.schedule(intervalMs - silentMs);
    } else if (this.unanswered >= count) {
      this.giveUp();
    } else {
      this.unanswered += 1;
      this.timer = this.schedule(intervalMs);
      this.ping();
    }
  }
}
