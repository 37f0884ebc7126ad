/**
 * What one function's guest may do to it: the one language that every mechanism with rules speaks (kernel guard, QEMU
 * property, preloaded library). README.md has its grammar and meaning.
 */
export interface AccessRules {
  /** What becomes of a config access to a byte that the kernel's `pci_config_map` holds for unassigned. */
  unassigned: Record<Direction, Effect>;
  /** Apply to single bytes; the last one that applies to a byte decides, and none leaves it to `unassigned`. */
  rules: readonly AccessRule[];
  /** Requests on the device's file that are refused. */
  ioctls: readonly RefusedIoctl[];
}

export type Direction = 'read' | 'write';

/** `block`: nothing reaches the device; a write looks successful to the guest, a read gives zeros. */
export const EFFECTS = ['allow', 'block'] as const;
export type Effect = (typeof EFFECTS)[number];

/** `cfg` is config space, `bar0` to `bar5` what goes to a BAR by system call (mapped accesses are seen by nobody). */
export const REGIONS = ['cfg', 'bar0', 'bar1', 'bar2', 'bar3', 'bar4', 'bar5'] as const;
export type AccessRegion = (typeof REGIONS)[number];

export interface AccessRule {
  region: AccessRegion;
  /** First byte: 0 to 0xfff in config space, to `MAX_BAR_OFFSET` in a BAR. */
  from: number;
  /** Last byte, included. */
  to: number;
  directions: readonly Direction[];
  effect: Effect;
  /** Applies to a byte only where `(written & mask) === value`; for writes to config space alone. */
  when?: WrittenBits;
}

/** Bits of one written byte: `mask` is 1 to 0xff, `value` has no bit that `mask` has not. */
export interface WrittenBits {
  mask: number;
  value: number;
}

/**
 * Requests that can be refused, with their numbers in include/uapi/linux/vfio.h:
 * - `reset`: VFIO_DEVICE_RESET (0x3b6f) and VFIO_DEVICE_PCI_HOT_RESET (0x3b71), by which QEMU resets at the guest's wish;
 * - `ioeventfd`: VFIO_DEVICE_IOEVENTFD (0x3b74), after which the kernel writes to a BAR without a system call;
 * - `low-power`: VFIO_DEVICE_FEATURE (0x3b75) that sets LOW_POWER_ENTRY or LOW_POWER_ENTRY_WITH_WAKEUP.
 */
export const REFUSABLE_IOCTLS = ['reset', 'ioeventfd', 'low-power'] as const;
export type RefusedIoctl = (typeof REFUSABLE_IOCTLS)[number];

/** `VFIO_PCI_OFFSET_SHIFT` is 40: no region of a vfio-pci file is longer. */
export const MAX_BAR_OFFSET = 2 ** 40 - 1;

/**
 * QEMU writes at most 4 bytes of config space at once, a guest's instruction at most 8. A longer write is blocked unseen;
 * a longer read passes, because QEMU reads all 4,096 bytes when it opens a device.
 */
export const MAX_JUDGED_BYTES = 8;

/** What every carrier has room for. */
export const LIMITS = {
  /** Characters of the text. */
  text: 16_384,
  rules: 512,
  /** Rules on BARs. */
  barRules: 16,
  /** Bytes that rules with a condition cover, counted for each rule. */
  conditionalBytes: 32,
} as const;

/** The standard: writes to unassigned bytes are blocked, reads pass. */
export const STANDARD_RULES: AccessRules = {
  unassigned: { read: 'allow', write: 'block' },
  rules: [],
  ioctls: [],
};
