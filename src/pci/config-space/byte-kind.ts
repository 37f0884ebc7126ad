import { EXTENDED_SIZE } from './capability-tables.js';
import { isVendorCapability } from './layout-questions.js';
import type { ConfigSpaceLayout, Owner } from './layout.js';

/** What both maps tell apart; `unknown` is what lies beyond the bytes that the layout knows. */
export type ByteKind = 'header' | 'capability' | 'vendor' | 'hidden' | 'unassigned' | 'unknown';

export function byteKind(owner: Owner): Exclude<ByteKind, 'unknown'> {
  switch (owner.kind) {
    case 'capability':
      return isVendorCapability(owner.capability) ? 'vendor' : 'capability';
    case 'anchor':
      return 'hidden';
    case 'unassigned':
      return owner.hidden ? 'hidden' : 'unassigned';
    default:
      return 'header';
  }
}

/** `Power Management`, `hidden: L1 PM Substates`, `unassigned`. */
export function ownerName(owner: Owner): string {
  switch (owner.kind) {
    case 'capability':
      return owner.capability.name;
    case 'anchor':
      return `placeholder of hidden: ${owner.hidden.name}`;
    case 'unassigned':
      return owner.hidden ? `hidden: ${owner.hidden.name}` : 'unassigned';
    default:
      return 'header';
  }
}

/** `0x100-0x147`; one byte is `0x100`. */
export function byteRange(start: number, length: number): string {
  const hex = (offset: number) => `0x${offset.toString(16).padStart(3, '0')}`;
  return length === 1 ? hex(start) : `${hex(start)}-${hex(start + length - 1)}`;
}

/** Where a map ends: at the function's size or, where that cannot be told, at the most there can be. */
export function mapEnd({ configSize }: ConfigSpaceLayout): number {
  return configSize ?? EXTENDED_SIZE;
}

export function bytes(count: number): string {
  return count === 1 ? '1 byte' : `${count.toLocaleString('en-US')} bytes`;
}
