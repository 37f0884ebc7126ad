/** How often a domain is defined again within the window: somebody else may define it back each time. */
const MAX_REDEFINITIONS = 3;
const WINDOW_MS = 10 * 60_000;

/**
 * Keeps a redefinition from running in circles: each one fires the event that causes the next look at the domain, and
 * another program may have its own idea of the document.
 */
export class RedefinitionGuard {
  private readonly recent = new Map<string, number[]>();

  constructor(private readonly clock: () => Date) {}

  /** Whether the domain may be defined once more; counts it if so. */
  allows(uuid: string): boolean {
    const now = this.clock().getTime();
    for (const [domain, times] of this.recent) {
      const left = times.filter((time) => now - time < WINDOW_MS);
      if (left.length === 0) this.recent.delete(domain);
      else this.recent.set(domain, left);
    }
    const times = this.recent.get(uuid) ?? [];
    if (times.length >= MAX_REDEFINITIONS) return false;
    this.recent.set(uuid, [...times, now]);
    return true;
  }
}
