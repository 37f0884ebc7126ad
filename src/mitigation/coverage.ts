import type { Exposure } from '../risk/exposure.js';
import type { MechanismColumn } from './mechanism.js';

/**
 * Whether a mechanism closes an exposure.
 * - `yes`: by its standard behaviour
 * - `rule`: when it is given a rule for the device
 * - `extended-part`: from 0x100 on only
 * - `no`
 */
export type Coverage = 'yes' | 'rule' | 'extended-part' | 'no';

/** Rows of the table: an exposure, with the BAR mirror told apart by whether QEMU traps the window. */
export type CoverageRow = Exclude<Exposure, 'config-mirror-in-bar'> | 'mirror-trapped' | 'mirror-untrapped';

/**
 * The product's central table. Sources: `conventional-bus` and `i440fx` rest on QEMU's `pci_adjust_config_limit()`
 * (hw/pci/pci.c), which ends config space at 256 bytes on a bus that is not PCI Express all the way up; the kernel
 * parameters act on bytes that `pci_config_map` holds for invalid (vfio_pci_config.c). QEMU makes a config access of what the guest
 * does to a window that it traps, but after eleven equal writes has the kernel write to the BAR (`vfio_ioeventfd_init()` of
 * hw/vfio/pci-quirks.c), past the parameters; a filter or guard needs a rule against that.
 */
export const COVERAGE: Record<CoverageRow, Record<MechanismColumn, Coverage>> = {
  'unassigned-extended': row('yes', 'yes', 'yes', 'yes', 'yes', 'yes'),
  'unassigned-legacy': row('yes', 'yes', 'yes', 'yes', 'no', 'no'),
  'hidden-capability': row('yes', 'yes', 'yes', 'yes', 'extended-part', 'extended-part'),
  'vendor-capability': row('rule', 'no', 'rule', 'rule', 'extended-part', 'extended-part'),
  'power-management': row('rule', 'no', 'rule', 'rule', 'no', 'no'),
  'aer-registers': row('rule', 'no', 'rule', 'rule', 'yes', 'yes'),
  'vpd-write': row('rule', 'no', 'rule', 'rule', 'no', 'no'),
  reset: row('rule', 'no', 'rule', 'rule', 'no', 'no'),
  'mirror-trapped': row('rule', 'no', 'yes', 'rule', 'no', 'no'),
  'mirror-untrapped': row('no', 'no', 'rule', 'no', 'no', 'no'),
  'bar-mmio': row('no', 'no', 'no', 'no', 'no', 'no'),
};

function row<T>(
  guard: T,
  parameters: T,
  property: T,
  preload: T,
  bus: T,
  i440fx: T,
): Record<MechanismColumn, T> {
  return {
    'kernel-guard': guard,
    'kernel-parameters': parameters,
    'filter-property': property,
    'filter-preload': preload,
    'conventional-bus': bus,
    i440fx,
  };
}

/** A device that came, or a mechanism that was switched on, after its VM had started. */
export type Circumstance = 'hot-plugged' | 'already-running';

/** Whether what a mechanism closes by its standard behaviour is closed in these circumstances, too. */
export const REACH: Record<Circumstance, Record<MechanismColumn, boolean>> = {
  // A filter has rules for every device that its VM did not start with; a bus reaches what is put behind its bridge.
  'hot-plugged': row(true, true, true, true, true, true),
  'already-running': row(true, true, false, false, false, false),
};

/**
 * What becomes of an access to closed and other bytes at once: dropped as a `whole`, or `cut` so that the other bytes
 * arrive. A topology closes no part of a dword, so it has no such accesses.
 */
export const SPANNING: Record<MechanismColumn, 'whole' | 'cut' | 'none'> = row(
  'whole',
  'cut',
  'cut',
  'whole',
  'none',
  'none',
);

/** Where in config space an exposure of one device lies; a device whose layout is unknown has both parts. */
export interface ExposureParts {
  /** Below 0x100. */
  legacy: boolean;
  /** From 0x100 on. */
  extended: boolean;
}

/** What is left of an exposure once a mechanism covers it this far; both parts false means: closed. */
export function remainingParts(coverage: Coverage, parts: ExposureParts): ExposureParts {
  switch (coverage) {
    case 'yes':
    case 'rule':
      return { legacy: false, extended: false };
    case 'extended-part':
      return { legacy: parts.legacy, extended: false };
    case 'no':
      return parts;
  }
}
