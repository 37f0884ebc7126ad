import { LEGACY_SIZE } from './capability-tables.js';
import { isVendorCapability } from './layout-questions.js';
import type { ConfigSpaceLayout, Owner } from './layout.js';
import type { WriteReach } from './write-permissions.js';

/** What the maps tell apart; the most harmless first. */
export const CATEGORIES = {
  header: 'header',
  standard: 'capability',
  extended: 'extended capability',
  placeholder: 'placeholder of a hidden capability',
  vendor: 'vendor capability',
  hidden: 'hidden capability',
  unassigned: 'unassigned',
} as const;

export type Category = keyof typeof CATEGORIES;

export function categoryOf(owner: Owner): Category {
  switch (owner.kind) {
    case 'header':
      return 'header';
    case 'anchor':
      return 'placeholder';
    case 'unassigned':
      return owner.hidden ? 'hidden' : 'unassigned';
    case 'capability':
      if (isVendorCapability(owner.capability)) return 'vendor';
      return owner.capability.extended ? 'extended' : 'standard';
  }
}

/** How far a write gets, as coarse as a picture can show it. */
export type Reach = 'raw' | 'some' | 'none';

export function coarseReach(reach: WriteReach): Reach {
  if (reach === 'raw') return 'raw';
  return reach === 'partly' || reach === 'mediated' ? 'some' : 'none';
}

/** A maximal run of bytes with one value. */
export interface Run<T> {
  start: number;
  /** Bytes, at least 1. */
  length: number;
  value: T;
}

/** Runs of equal values; none spans 0x100. */
export function runsOf<T>(values: readonly T[]): Run<T>[] {
  const runs: Run<T>[] = [];
  for (const [start, value] of values.entries()) {
    const last = runs.at(-1);
    if (last && last.value === value && start !== LEGACY_SIZE) last.length += 1;
    else runs.push({ start, length: 1, value });
  }
  return runs;
}

export function countBy<T extends string>(values: readonly T[]): ReadonlyMap<T, number> {
  const counts = new Map<T, number>();
  for (const value of values) counts.set(value, (counts.get(value) ?? 0) + 1);
  return counts;
}

export function hexOffset(offset: number): string {
  return `0x${offset.toString(16).padStart(3, '0')}`;
}

/** First and last byte: `0x040-0x047`. */
export function hexRange(start: number, length: number): string {
  return `${hexOffset(start)}-${hexOffset(start + length - 1)}`;
}

/** A sentence on what could not be known, or refused; undefined where all is plain. */
export function reservation(layout: ConfigSpaceLayout): string | undefined {
  if (layout.refused !== undefined) return `vfio refuses to open this device: ${layout.refused}`;
  if (layout.complete) return undefined;
  const of = layout.configSize === undefined ? '' : ` of ${layout.configSize}`;
  return `only the first ${layout.size}${of} bytes are known: what follows may hold anything (read it as root)`;
}

/** Replaces what could steer a terminal or is no XML character. */
export function printable(text: string): string {
  return text.replace(/[^\P{C}]/gu, '\ufffd');
}
