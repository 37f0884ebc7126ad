import type { Exposure } from '../risk/exposure.js';
import { COVERAGE, remainingParts, type Coverage, type CoverageRow, type ExposureParts } from './coverage.js';
import type { ByteRange, MechanismColumn, MechanismName } from './mechanism.js';

/** An exposure of one device, as the planner sees it. */
export interface OpenExposure {
  exposure: Exposure;
  row: CoverageRow;
  parts: ExposureParts;
  /** Whether policy requires it closed. */
  required: boolean;
}

/** A mechanism that may be used for the device. */
export interface Candidate {
  name: MechanismName;
  column: MechanismColumn;
  /** Bytes it must leave open for the device's driver. */
  exempt: ByteRange[];
}

/** The chosen mechanisms, and what each exposure is left with. */
export interface Choice {
  chosen: Candidate[];
  remaining: Map<OpenExposure, ExposureParts>;
}

/**
 * The least disruptive sufficient set: among all sets of candidates that leave the least of what is required open, the
 * one that does with the earliest candidates. Candidates come in order of preference, and one is worth more than all
 * that follow it, so a set of preferred mechanisms always beats one that needs a later mechanism.
 */
export function chooseMechanisms(
  exposures: readonly OpenExposure[],
  candidates: readonly Candidate[],
): Choice {
  let best: Choice = { chosen: [], remaining: remainingAfter(exposures, []) };
  let bestOpen = openRequired(best);
  // Counting up visits the sets in order of cost: bit i is candidate i.
  for (let set = 1; set < 1 << candidates.length; set += 1) {
    const chosen = candidates.filter((_, index) => set & (1 << index));
    const choice = { chosen, remaining: remainingAfter(exposures, chosen) };
    const open = openRequired(choice);
    if (open < bestOpen) {
      best = choice;
      bestOpen = open;
    }
  }
  return best;
}

/** What a set of mechanisms leaves of each exposure. */
export function remainingAfter(
  exposures: readonly OpenExposure[],
  chosen: readonly Pick<Candidate, 'column'>[],
): Map<OpenExposure, ExposureParts> {
  return new Map(
    exposures.map((exposure) => [
      exposure,
      chosen.reduce<ExposureParts>(
        (parts, { column }) => remainingParts(coverageFor(exposure, column), parts),
        exposure.parts,
      ),
    ]),
  );
}

/**
 * A rule is made for what is required: what a mechanism could close by rule beyond that it leaves open. The kernel guard
 * does nothing but by rule: what an exemption spares must stay open under it.
 */
export function coverageFor({ row, required }: OpenExposure, column: MechanismColumn): Coverage {
  const coverage = COVERAGE[row][column];
  const byRule = coverage === 'rule' || column === 'kernel-guard';
  return byRule && !required ? 'no' : coverage;
}

export function isOpen(parts: ExposureParts): boolean {
  return parts.legacy || parts.extended;
}

function openRequired({ remaining }: Choice): number {
  let open = 0;
  for (const [exposure, parts] of remaining) {
    if (exposure.required) open += Number(parts.legacy) + Number(parts.extended);
  }
  return open;
}
