import { MAP } from '../../pci/config-space/capability-tables.js';
import type { ConfigSpaceLayout } from '../../pci/config-space/layout.js';
import {
  MAX_JUDGED_BYTES,
  type AccessRegion,
  type AccessRule,
  type AccessRules,
  type Direction,
  type Effect,
} from './access-rules.js';

/** One read or write of a device, as QEMU makes it. */
export interface DeviceAccess {
  direction: Direction;
  region: AccessRegion;
  /** First byte, from the start of the region. */
  offset: number;
  /** Bytes. */
  size: number;
  /** What is written, `size` bytes; absent for a read. */
  data?: Uint8Array;
}

/**
 * What becomes of an access under the rules: the model that every carrier is tested against. An access is not cut in two:
 * one blocked byte blocks all of it.
 *
 * @param layout as the kernel on the host sees it; bytes that it does not know count as unassigned
 */
export function judgeAccess(rules: AccessRules, layout: ConfigSpaceLayout, access: DeviceAccess): Effect {
  const { direction, region, offset, size } = access;
  if (size === 0) return 'allow';
  if (region === 'cfg') {
    // vfio itself answers EFAULT, whatever the rules say.
    if (layout.configSize !== undefined && offset + size > layout.configSize) return 'allow';
    if (size > MAX_JUDGED_BYTES) return direction === 'write' ? 'block' : 'allow';
    for (let i = 0; i < size; i++) {
      if (judgeByte(rules, layout, access, i) === 'block') return 'block';
    }
    return 'allow';
  }
  return blocksAny(
    rules.rules.filter((rule) => rule.region === region && rule.directions.includes(direction)),
    offset,
    offset + size - 1,
  )
    ? 'block'
    : 'allow';
}

function judgeByte(
  { unassigned, rules }: AccessRules,
  layout: ConfigSpaceLayout,
  { direction, offset, data }: DeviceAccess,
  index: number,
): Effect {
  const at = offset + index;
  const last = rules.findLast((rule) => {
    if (rule.region !== 'cfg' || !rule.directions.includes(direction)) return false;
    if (at < rule.from || at > rule.to) return false;
    return rule.when === undefined || ((data?.[index] ?? 0) & rule.when.mask) === rule.when.value;
  });
  if (last) return last.effect;
  return (layout.kernelMap[at] ?? MAP.UNASSIGNED) === MAP.UNASSIGNED ? unassigned[direction] : 'allow';
}

/** Whether any byte of the range is blocked, when of several rules on a byte the last one decides. */
function blocksAny(rules: readonly AccessRule[], from: number, to: number): boolean {
  const last = rules.findLastIndex((rule) => rule.from <= to && rule.to >= from);
  if (last < 0) return false;
  const rule = rules[last]!;
  if (rule.effect === 'block') return true;
  const before = rules.slice(0, last);
  return (
    (from < rule.from && blocksAny(before, from, rule.from - 1)) ||
    (to > rule.to && blocksAny(before, rule.to + 1, to))
  );
}
