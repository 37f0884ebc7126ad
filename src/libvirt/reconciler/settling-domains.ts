import type { DomainRef } from '../rpc/types.js';

/** Milliseconds: events of a domain come in bursts, and the answer to the client that caused them is on its way, too. */
const SETTLE_MS = 100;
/** Milliseconds after which a start has failed, or the domain counts as active: libvirt says so from the beginning. */
const START_MS = 10_000;

/** Domains that are to be looked at in a while, each once. */
export class SettlingDomains {
  private readonly timers = new Map<string, NodeJS.Timeout>();

  /** @param look `cause`: the last lifecycle event, where one brought it about */
  constructor(private readonly look: (domain: DomainRef, cause: number | undefined) => void) {}

  /** Once its events have settled. */
  soon(domain: DomainRef, cause?: number): void {
    clearTimeout(this.timers.get(domain.uuid));
    this.schedule(domain, cause, SETTLE_MS);
  }

  /** When a start must have been told of, unless events bring a look about before. */
  later(domain: DomainRef): void {
    if (!this.timers.has(domain.uuid)) this.schedule(domain, undefined, START_MS);
  }

  clear(): void {
    for (const timer of this.timers.values()) clearTimeout(timer);
    this.timers.clear();
  }

  private schedule(domain: DomainRef, cause: number | undefined, delayMs: number): void {
    const timer = setTimeout(() => {
      this.timers.delete(domain.uuid);
      this.look(domain, cause);
    }, delayMs);
    this.timers.set(domain.uuid, timer);
  }
}
