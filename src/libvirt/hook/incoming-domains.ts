/**
 * Milliseconds from one of libvirt's calls to the next about the same guest: they follow at once, but for the hooks of
 * others in between. Short, since a cold start that follows a failed restore is taken for its continuation.
 */
const REMEMBERED_MS = 30_000;

/** More than a host takes in at a time. */
const MAX_REMEMBERED = 1000;

/**
 * Domains whose guests are coming in with their memory: of libvirt's calls only the first, `migrate` or `restore`, says
 * so, but the ones that follow are about the same guest.
 */
export class IncomingDomains {
  private readonly until = new Map<string, number>();

  constructor(private readonly clock: () => Date) {}

  /** @param domain its UUID, or the name of one without */
  add(domain: string): void {
    this.until.delete(domain);
    this.until.set(domain, this.clock().getTime() + REMEMBERED_MS);
    if (this.until.size > MAX_REMEMBERED) this.until.delete(this.until.keys().next().value!);
  }

  has(domain: string): boolean {
    return this.clock().getTime() < (this.until.get(domain) ?? 0);
  }

  delete(domain: string): void {
    this.until.delete(domain);
  }
}
