import type { CompatibilityNeed } from '../risk/finding.js';
import type { ByteRange, Mechanism } from './mechanism.js';

/** Whether a mechanism takes away registers that a driver needs, and cannot leave just these. */
export function breaks({ exemptionGrain }: Mechanism, need: CompatibilityNeed): boolean {
  switch (exemptionGrain) {
    case 'range':
      return false;
    case 'device':
      return needsWrites(need);
    case 'outside':
      // QEMU reaches the device itself, and a window in a BAR is no config access: neither meets the limit of the bus.
      return (
        byGuest(need) &&
        need.through === undefined &&
        (need.ranges === undefined || need.ranges.some(({ to }) => to >= 0x100))
      );
  }
}

/** The bytes that a mechanism must leave open for the device's driver, or for QEMU where it meets QEMU's own accesses. */
export function exemptFor(
  { name, exemptionGrain }: Mechanism,
  needs: readonly CompatibilityNeed[],
): ByteRange[] {
  if (exemptionGrain !== 'range') return [];
  return needs
    .filter((need) => needsWrites(need) && (name !== 'qemu-config-filter' || byGuest(need)))
    .flatMap(({ ranges }) => (ranges ?? [{ from: 0x40, to: 0xfff }]).map(({ from, to }) => ({ from, to })));
}

/** By standard the mechanisms refuse writes; reads pass. */
export function needsWrites({ access }: CompatibilityNeed): boolean {
  return access === undefined || access.includes('write');
}

/** What is left to a driver for its writes it may read, too; a driver that only reads is left nothing. */
export function needsReadsAlone(need: CompatibilityNeed): boolean {
  return !needsWrites(need);
}

export function byGuest({ by }: CompatibilityNeed): boolean {
  return by === undefined || by.includes('guest');
}
