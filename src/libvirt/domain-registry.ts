import type { DomainState } from '../decision/decision.js';
import type { Journal } from '../store/journal.js';
import type { DomainRecord } from '../store/records.js';
import type { StartPlaces } from './hooked-starts.js';

/** What a decision must know of a domain's past. */
export interface DomainPast {
  state: DomainState;
  ranRestricted: readonly string[];
}

export type DomainChange = Partial<Omit<DomainRecord, 'host' | 'uuid' | 'updatedAt'>>;

const UNKNOWN: DomainPast = { state: 'unknown', ranRestricted: [] };
const NEW: DomainPast = { state: 'new', ranRestricted: [] };

/**
 * This host's domains as far as they are known, in memory and, through the journal, in the store. A domain that is gone
 * keeps its record for a while: a control plane that undefines and defines again means the same guest.
 */
export class DomainRegistry {
  private readonly byUuid = new Map<string, DomainRecord>();
  private readonly byName = new Map<string, string>();
  /** Whether the store's records are here, and whether libvirt's domains have all been seen. */
  private loaded = false;
  private listed = false;

  constructor(
    private readonly host: string,
    private readonly journal: Journal,
    private readonly clock: () => Date = () => new Date(),
  ) {}

  /** Takes over what the store knew; of a domain that was met meanwhile only its past. */
  load(records: Iterable<DomainRecord>): void {
    for (const kept of records) {
      const record = { ...kept, state: stateAfterAbsence(kept) };
      const met = this.byUuid.get(record.uuid);
      if (!met) {
        this.byUuid.set(record.uuid, record);
        if (!this.byName.has(record.name)) this.byName.set(record.name, record.uuid);
      } else if (met.state === 'unknown') {
        this.change(met.uuid, met.name, { state: record.state, ranRestricted: record.ranRestricted });
      }
    }
    this.loaded = true;
  }

  /** Libvirt's domains have all been seen. */
  markListed(): void {
    this.listed = true;
  }

  /** Whether a domain that is not known is a new one: until then it may have run. */
  private get complete(): boolean {
    return this.loaded && this.listed;
  }

  get(uuid: string): DomainRecord | undefined {
    return this.byUuid.get(uuid.toLowerCase());
  }

  /** By UUID where one is given; the name alone decides for a document without one. */
  find(uuid: string | undefined, name: string): DomainRecord | undefined {
    const key = uuid?.toLowerCase() ?? this.byName.get(name);
    return key === undefined ? undefined : this.byUuid.get(key);
  }

  all(): IterableIterator<DomainRecord> {
    return this.byUuid.values();
  }

  /** Whether the domain has run, and with which functions where an edit of ours put them. */
  pastOf(uuid: string | undefined, name: string): DomainPast {
    const known = this.find(uuid, name);
    if (known) return { state: known.state, ranRestricted: known.ranRestricted };
    return this.complete ? NEW : UNKNOWN;
  }

  /** How many domains run without what policy asks for. */
  get unprotectedRunning(): number {
    let count = 0;
    for (const { active, unprotected } of this.byUuid.values()) if (active && unprotected) count += 1;
    return count;
  }

  /** How many domains run without what policy asks for now, and cannot follow before their next start. */
  get staleRunning(): number {
    let count = 0;
    for (const { active, stale } of this.byUuid.values()) if (active && stale !== undefined) count += 1;
    return count;
  }

  /** Records a change; a domain that was not known begins with it. Nothing is written where nothing differs. */
  change(uuid: string, name: string, change: DomainChange): DomainRecord {
    const key = uuid.toLowerCase();
    const before = this.byUuid.get(key);
    const merged = { ...(before ?? this.blank(key, name)), name, ...change };
    if (before && same(before, merged)) return before;
    const record: DomainRecord = { ...merged, updatedAt: this.clock().toISOString() };
    if (before && before.name !== name && this.byName.get(before.name) === key)
      this.byName.delete(before.name);
    this.byUuid.set(key, record);
    this.byName.set(name, key);
    this.journal.domain(record);
    return record;
  }

  /** Forgets domains that have been gone since before the given time. */
  forgetGone(before: Date): void {
    for (const record of this.byUuid.values()) {
      if (record.active || record.persistent || new Date(record.updatedAt) >= before) continue;
      this.byUuid.delete(record.uuid);
      if (this.byName.get(record.name) === record.uuid) this.byName.delete(record.name);
      this.journal.domainGone(this.host, record.uuid);
    }
  }

  private blank(uuid: string, name: string): DomainRecord {
    return {
      host: this.host,
      uuid,
      name,
      owner: {},
      active: false,
      persistent: false,
      state: this.complete ? 'new' : 'unknown',
      ranRestricted: [],
      unprotected: false,
      devices: [],
      updatedAt: this.clock().toISOString(),
    };
  }
}

/**
 * What is known of a domain's places once it runs with these. A device that is not plugged in keeps what is known of it: a
 * control plane takes devices out to save a domain.
 */
export function ranRestricted(
  before: Pick<DomainRecord, 'ranRestricted'> | undefined,
  { devices, restricted }: StartPlaces,
): string[] {
  const kept = (before?.ranRestricted ?? []).filter((source) => !devices.includes(source));
  return [...new Set([...kept, ...restricted])].toSorted();
}

function same(a: DomainRecord, b: DomainRecord): boolean {
  return (Object.keys({ ...a, ...b }) as (keyof DomainRecord)[]).every(
    (field) => field === 'updatedAt' || JSON.stringify(a[field]) === JSON.stringify(b[field]),
  );
}

/**
 * A domain that was new may have run while nobody watched. One whose document is restricted ran with that, if at all, so
 * that to restrict it once more changes nothing of its guest.
 */
function stateAfterAbsence({ state, verdict }: DomainRecord): DomainRecord['state'] {
  return state === 'new' && verdict !== 'restricted' ? 'unknown' : state;
}
