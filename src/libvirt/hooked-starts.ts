/** Milliseconds from libvirt's hook to its event about the same start: libvirt waits for the guest's monitor in between. */
const REMEMBERED_MS = 60_000;

/** More than a host starts at a time. */
const MAX_REMEMBERED = 1000;

/** What the hook knew of a start that has passed it, by the domain's UUID, for the reconciler that meets it a moment later. */
export class HookedStarts<T> {
  private readonly byUuid = new Map<string, { known: T; until: number }>();

  constructor(private readonly clock: () => Date = () => new Date()) {}

  add(uuid: string, known: T): void {
    const key = uuid.toLowerCase();
    this.byUuid.delete(key);
    this.byUuid.set(key, { known, until: this.clock().getTime() + REMEMBERED_MS });
    if (this.byUuid.size > MAX_REMEMBERED) this.byUuid.delete(this.byUuid.keys().next().value!);
  }

  /** Undefined where the hook has not seen this start; what is known of one is given once. */
  take(uuid: string): T | undefined {
    const key = uuid.toLowerCase();
    const start = this.byUuid.get(key);
    this.byUuid.delete(key);
    return start && this.clock().getTime() < start.until ? start.known : undefined;
  }
}

/** Where a domain has its functions as it starts. */
export interface StartPlaces {
  /** BDFs of its assigned devices. */
  devices: string[];
  /** Those of them that stand where an edit of ours could have put them. */
  restricted: string[];
}

/** What the reconciler learns from the hook. */
export interface StartKnowledge {
  /** Starts without what policy asks for that the hook has told of: nobody is to tell of them again. */
  told: HookedStarts<true>;
  /** Which hardware the guest finds: it may have stopped before anybody can look. */
  places: HookedStarts<StartPlaces>;
}

export function startKnowledge(clock?: () => Date): StartKnowledge {
  return { told: new HookedStarts(clock), places: new HookedStarts(clock) };
}
