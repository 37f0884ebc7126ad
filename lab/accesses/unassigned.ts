import type { ConfigSpaceLayout } from '../../src/pci/config-space/layout.js';
import { attemptsOf, writesWithin, type Attempt } from '../exposures/exposure.js';

/** Gaps of at least this many bytes are tried; all of them would be the same again. */
const MOST_GAPS = 3;

/** Writes to bytes that belong to no capability, neither shown nor hidden, between two offsets. */
export function unassignedAttempts(layout: ConfigSpaceLayout, from: number, to: number): Attempt[] {
  const gaps = layout.regions.filter(
    ({ start, owner }) => start >= from && start < to && owner.kind === 'unassigned' && !owner.hidden,
  );
  // The first, the last and the largest gap; where there are fewer, all.
  const largest = gaps.toSorted((a, b) => b.length - a.length)[0];
  const chosen = new Set([gaps[0], largest, gaps.at(-1)].slice(0, MOST_GAPS));
  return [...chosen].flatMap((gap) =>
    gap ? attemptsOf(writesWithin(gap.start, gap.length), 'unassigned bytes') : [],
  );
}
