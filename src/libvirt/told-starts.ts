/** Milliseconds from libvirt's hook to its event about the same start: libvirt waits for the guest's monitor in between. */
const REMEMBERED_MS = 60_000;

/** More than a host starts at a time. */
const MAX_REMEMBERED = 1000;

/**
 * Starts without what policy asks for that the hook has told of: the reconciler, which meets the same domain a moment
 * later, is to tell only of those that no hook has seen.
 */
export class ToldStarts {
  private readonly until = new Map<string, number>();

  constructor(private readonly clock: () => Date = () => new Date()) {}

  add(uuid: string): void {
    this.until.delete(uuid);
    this.until.set(uuid, this.clock().getTime() + REMEMBERED_MS);
    if (this.until.size > MAX_REMEMBERED) this.until.delete(this.until.keys().next().value!);
  }

  /** Whether this start was told of; it is not asked about again. */
  take(uuid: string): boolean {
    const until = this.until.get(uuid);
    this.until.delete(uuid);
    return until !== undefined && this.clock().getTime() < until;
  }
}
