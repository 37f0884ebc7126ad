import { setTimeout as sleep } from 'node:timers/promises';

/** Something of the service that runs: a listener, a connection, a timer. */
export interface Part {
  readonly name: string;
  start(): Promise<void>;
  /** Takes no new work, finishes what it has, and lets go of what it holds. */
  stop(): Promise<void>;
}

/** A part that did not stop in time, or failed to. */
export interface StopFailure {
  name: string;
  reason: unknown;
}

/** Milliseconds that all parts together may take to finish their work. */
export const STOP_MS = 10_000;

/** Milliseconds that each part has even when those before it took all the time: a journal must still be written. */
const LEAST_STOP_MS = 1000;

/** Starts parts in order and stops them in reverse. */
export class Lifecycle {
  private readonly started: Part[] = [];

  constructor(
    private readonly parts: readonly Part[],
    private readonly stopMs = STOP_MS,
    private readonly leastStopMs = LEAST_STOP_MS,
  ) {}

  /** @throws what a part's start throws; those that had started are stopped then */
  async start(): Promise<void> {
    for (const part of this.parts) {
      try {
        await part.start();
      } catch (error) {
        await this.stop();
        throw error;
      }
      this.started.push(part);
    }
  }

  /** Stops every part that was started, whatever becomes of the others. */
  async stop(): Promise<StopFailure[]> {
    const deadline = performance.now() + this.stopMs;
    const failures: StopFailure[] = [];
    for (let part = this.started.pop(); part !== undefined; part = this.started.pop()) {
      const left = Math.max(this.leastStopMs, deadline - performance.now());
      try {
        await withinMs(part.stop(), left);
      } catch (reason) {
        failures.push({ name: part.name, reason });
      }
    }
    return failures;
  }
}

async function withinMs(work: Promise<void>, ms: number): Promise<void> {
  const timer = new AbortController();
  const timeout = sleep(ms, undefined, { signal: timer.signal }).then(() => {
    throw new Error(`it did not stop within ${Math.round(ms)} ms`);
  });
  try {
    await Promise.race([work, timeout]);
  } finally {
    timer.abort();
    timeout.catch(() => undefined);
  }
}
