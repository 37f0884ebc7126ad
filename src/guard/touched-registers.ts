import type { GuardedDevice, GuardedPlace } from '../host/guard/guard-status.js';
import { layoutOf } from '../pci/config-space/layout.js';
import type { PciFunction } from '../pci/pci-function.js';
import type { Exposure } from '../risk/exposure.js';

const DAY_MS = 86_400_000;
const PCIE_CONFIG_START = 0x100;

/** Bytes of config space or of a BAR that guests touched and that are closed, or would be. */
export interface TouchedRegister {
  /** `cfg`, `bar0` to `bar5`, or `none` for an ioctl. */
  region: string;
  offset: number;
  access: 'read' | 'write';
  reason: string;
  /** Of these, accesses that were blocked; the others were only counted. */
  blocked: number;
  count: number;
  /** Milliseconds since 1970. */
  firstAt: number;
  lastAt: number;
}

/** What guests did with all functions of one model on this host. */
export interface TouchedModel {
  /** `vvvv:dddd`. */
  id: string;
  devices: string[];
  /** Accesses that the guard judged. */
  judged: number;
  /** Days since the guard saw the first function of the model, of those that it still counts for. */
  days: number;
  registers: TouchedRegister[];
  proposal: Proposal;
}

/**
 * - `wait`: it was not watched for long enough to say
 * - `enforce`: guests of this model touched nothing that enforcing closes
 * - `exempt`: they did; `exposures` would have to stay open, or the guests be looked at
 * - `look`: what they touched is closed by a rule of its own, which a person has to weigh
 */
export type Proposal =
  | { kind: 'wait'; missingDays: number }
  | { kind: 'enforce' }
  | { kind: 'exempt'; exposures: Exposure[] }
  | { kind: 'look' };

/**
 * What the guard's counters tell about each model, and what follows from it.
 *
 * @param enoughDays that a model must have been watched before anything is proposed
 */
export function touchedModels(
  devices: readonly GuardedDevice[],
  places: readonly GuardedPlace[],
  functionOf: (bdf: string) => PciFunction | undefined,
  now: Date,
  enoughDays: number,
): TouchedModel[] {
  const models = new Map<string, { devices: GuardedDevice[]; places: GuardedPlace[] }>();
  for (const device of devices) {
    const fn = functionOf(device.device);
    const id = fn ? `${fn.vendor}:${fn.device}` : 'not on this host any more';
    const model = models.get(id) ?? { devices: [], places: [] };
    model.devices.push(device);
    model.places.push(...places.filter((place) => place.device === device.device));
    models.set(id, model);
  }
  return [...models]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .map(([id, model]) => {
      const since = Math.min(...model.devices.map(({ firstAt }) => firstAt ?? now.getTime()));
      const days = Math.max(0, now.getTime() - since) / DAY_MS;
      const registers = mergePlaces(model.places);
      const fn = functionOf(model.devices[0]!.device);
      return {
        id,
        devices: model.devices.map(({ device }) => device).toSorted(),
        judged: model.devices.reduce((sum, { judged }) => sum + judged, 0),
        days,
        registers,
        proposal: propose(registers, (offset) => exposureAt(fn, offset), days, enoughDays),
      };
    });
}

function mergePlaces(places: readonly GuardedPlace[]): TouchedRegister[] {
  const merged = new Map<string, TouchedRegister>();
  for (const { region, offset, access, reason, outcome, count, firstAt, lastAt } of places) {
    const key = `${region} ${offset} ${access} ${reason}`;
    const known = merged.get(key);
    const blocked = outcome === 'blocked' ? count : 0;
    merged.set(
      key,
      known
        ? {
            ...known,
            blocked: known.blocked + blocked,
            count: known.count + count,
            firstAt: Math.min(known.firstAt, firstAt),
            lastAt: Math.max(known.lastAt, lastAt),
          }
        : { region, offset, access, reason, blocked, count, firstAt, lastAt },
    );
  }
  return [...merged.values()].toSorted(
    (a, b) => (a.region < b.region ? -1 : a.region > b.region ? 1 : 0) || a.offset - b.offset,
  );
}

/** What was touched is known at once; that nothing is touched takes time to say. */
function propose(
  registers: readonly TouchedRegister[],
  exposureOf: (offset: number) => Exposure,
  days: number,
  enoughDays: number,
): Proposal {
  const unassigned = registers.filter(({ reason, region }) => reason === 'unassigned' && region === 'cfg');
  if (unassigned.length < registers.length) return { kind: 'look' };
  if (unassigned.length > 0) {
    const exposures = new Set(unassigned.map(({ offset }) => exposureOf(offset)));
    return { kind: 'exempt', exposures: [...exposures].toSorted() };
  }
  return days < enoughDays ? { kind: 'wait', missingDays: enoughDays - days } : { kind: 'enforce' };
}

/** The kernel's map does not tell a hidden capability from a gap; policies do. */
function exposureAt(fn: PciFunction | undefined, offset: number): Exposure {
  const layout =
    fn?.configSpace &&
    layoutOf(fn.configSpace, fn.configSize === undefined ? {} : { configSize: fn.configSize });
  const region = layout?.regions.find(({ start, length }) => start <= offset && offset < start + length);
  if (region?.owner.kind === 'unassigned' && region.owner.hidden) return 'hidden-capability';
  return offset < PCIE_CONFIG_START ? 'unassigned-legacy' : 'unassigned-extended';
}
