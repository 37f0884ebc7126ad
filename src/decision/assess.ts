import type { AssignedDevice } from '../domain-xml/assigned-devices.js';
import { CAP, ECAP } from '../pci/config-space/capability-tables.js';
import { isVendorCapability } from '../pci/config-space/layout-questions.js';
import { layoutOf, type ConfigSpaceLayout } from '../pci/config-space/layout.js';
import type { PciFunction } from '../pci/pci-function.js';
import type { Exposure } from '../risk/exposure.js';
import type { CompatibilityNeed, Finding, Notice } from '../risk/finding.js';
import type { AssessedMirror, RiskDatabase } from '../risk/risk-database.js';

/** What one assigned device exposes, and what kept us from knowing more. */
export interface Assessment {
  findings: Finding[];
  needs: CompatibilityNeed[];
  notices: Notice[];
  /** Windows in BARs that show its config space. */
  mirrors: AssessedMirror[];
  problems: { problem: string; remedy: string }[];
}

const NOTHING: Assessment = { findings: [], needs: [], notices: [], mirrors: [], problems: [] };

type Seen = Omit<Finding, 'certainty' | 'risk' | 'trapped'>;

/** Judges one assigned device by its config space and the risk database. */
export function assessDevice(
  device: AssignedDevice,
  fn: PciFunction | undefined,
  risks: RiskDatabase,
): Assessment {
  // Neither gives the guest a path to the function's own config space: the vendor driver emulates one, QEMU drives the
  // other.
  if (device.carrier === 'mdev' || device.carrier === 'nvme-disk') return NOTHING;
  const assessment = assessFunction(fn, risks);
  return {
    ...assessment,
    problems: problemsOf(device, fn, fn !== undefined && exposuresOf(fn) !== undefined),
  };
}

/** What a function exposes to whatever guest is given it; of an unknown one everything is assumed. */
export function assessFunction(
  fn: PciFunction | undefined,
  risks: RiskDatabase,
): Omit<Assessment, 'problems'> {
  const seen = fn && exposuresOf(fn);
  const known = fn && risks.assess(fn);
  const certainty = seen ? 'seen' : 'assumed';
  const findings = (seen ?? EXPOSURES_ASSUMED).map(({ exposure, parts, detail }): Finding => {
    const finding: Finding = { exposure, parts, certainty, detail };
    const named = known?.risks.find((risk) => risk.exposure === exposure);
    if (named) finding.risk = named.risk;
    return finding;
  });
  for (const { exposure, trapped, risk } of known?.risks ?? []) {
    if (exposure !== 'config-mirror-in-bar') continue;
    findings.push({
      exposure,
      trapped: trapped ?? false,
      parts: BOTH,
      certainty: 'assumed',
      detail: trapped ? 'a window that QEMU traps' : 'a window that QEMU does not trap',
      risk,
    });
  }
  return {
    findings,
    needs: known?.needs ?? [],
    notices: known?.notices ?? [],
    mirrors: known?.mirrors ?? [],
  };
}

/** A function's exposures are seen once: inventories are immutable. Null where its config space was not all read. */
const seenBefore = new WeakMap<PciFunction, Seen[] | null>();

/** What a function's config space shows; undefined where it was not read, or not far enough. */
function exposuresOf(fn: PciFunction): Seen[] | undefined {
  let seen = seenBefore.get(fn);
  if (seen === undefined) {
    const layout =
      fn.configSpace &&
      layoutOf(fn.configSpace, fn.configSize === undefined ? {} : { configSize: fn.configSize });
    seen = layout?.complete ? exposuresSeen(layout) : null;
    seenBefore.set(fn, seen);
  }
  return seen ?? undefined;
}

function exposuresSeen(layout: ConfigSpaceLayout): Seen[] {
  const found: Seen[] = [];
  const add = (exposure: Exposure, parts: Seen['parts'], detail: string) =>
    found.push({ exposure, parts, detail });
  const shown = (extended: boolean, id: number) =>
    layout.capabilities.filter((capability) => capability.extended === extended && capability.id === id);

  const legacy = layout.unassignedBytes('legacy');
  const extended = layout.unassignedBytes('extended');
  if (extended > 0) add('unassigned-extended', EXTENDED, `${extended} bytes`);
  if (legacy > 0) add('unassigned-legacy', LEGACY, `${legacy} bytes`);
  if (layout.hidden.length > 0) add('hidden-capability', partsOf(layout.hidden), list(layout.hidden));

  const vendor = layout.capabilities.filter(isVendorCapability);
  if (vendor.length > 0) add('vendor-capability', partsOf(vendor), list(vendor));
  const power = shown(false, CAP.PM);
  if (power.length > 0) add('power-management', LEGACY, list(power));
  const aer = shown(true, ECAP.AER);
  if (aer.length > 0) add('aer-registers', EXTENDED, list(aer));
  const vpd = shown(false, CAP.VPD);
  if (vpd.length > 0) add('vpd-write', LEGACY, list(vpd));
  // Leaving D3hot resets a function as well, unless its No_Soft_Reset bit says otherwise.
  const resets = [layout.functionLevelReset && 'function-level reset', power.length > 0 && 'D3hot'].filter(
    Boolean,
  );
  if (resets.length > 0) add('reset', LEGACY, resets.join(', '));
  add('bar-mmio', BOTH, 'the BARs are mapped into the guest');
  return found;
}

const LEGACY = { legacy: true, extended: false };
const EXTENDED = { legacy: false, extended: true };
const BOTH = { legacy: true, extended: true };

/** What is taken to be there when config space could not be read: unknown is not absent. */
const EXPOSURES_ASSUMED: Seen[] = (
  [
    ['unassigned-extended', EXTENDED],
    ['unassigned-legacy', LEGACY],
    ['hidden-capability', BOTH],
    ['vendor-capability', BOTH],
    ['power-management', LEGACY],
    ['aer-registers', EXTENDED],
    ['vpd-write', LEGACY],
    ['reset', LEGACY],
    ['bar-mmio', BOTH],
  ] as const
).map(([exposure, parts]) => ({ exposure, parts, detail: 'assumed: config space was not read' }));

interface PlacedCapability {
  extended: boolean;
  name: string;
  start: number;
}

function partsOf(capabilities: readonly PlacedCapability[]): Seen['parts'] {
  return {
    legacy: capabilities.some(({ extended }) => !extended),
    extended: capabilities.some(({ extended }) => extended),
  };
}

function list(capabilities: readonly PlacedCapability[]): string {
  return capabilities.map(({ name, start }) => `${name} at 0x${start.toString(16)}`).join(', ');
}

function problemsOf(
  { carrier, source }: AssignedDevice,
  fn: PciFunction | undefined,
  seen: boolean,
): Assessment['problems'] {
  if (carrier === 'network') {
    return [
      {
        problem: 'the network chooses a function when the domain starts, so its risks are not known yet',
        remedy: 'Look at the decision made at start.',
      },
    ];
  }
  if (source === undefined) {
    return [
      {
        problem: 'the XML does not tell which host function this is',
        remedy: 'Assign the device with <hostdev>, which names it.',
      },
    ];
  }
  if (!fn) {
    return [
      {
        problem: 'the function is not in the inventory, so nothing is known of its risks',
        remedy: 'Check the address, or read the inventory again.',
      },
    ];
  }
  if (seen) return [];
  return [
    {
      problem: 'its config space could not be read, so every exposure is assumed',
      remedy: 'Read the inventory as root.',
    },
  ];
}
