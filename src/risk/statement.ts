import type { Exposure } from './exposure.js';
import type { Effect, RiskEntry } from './risk-entry.js';

/**
 * What a statement is about: an exposure and what comes of it. Two entries with the same subject speak of the same
 * thing, so the more specific overrides the other. Different effects of one exposure stand side by side.
 */
export interface Subject {
  exposure: Exposure;
  effect: Effect;
}

/** An entry makes one statement for each of its exposures; none where it has no exposure, or tells of bare metal. */
export function subjectsOf(entry: RiskEntry): Subject[] {
  if (entry.scope === 'bare-metal') return [];
  return entry.exposures.map((exposure) => ({ exposure, effect: entry.effect }));
}

export function subjectKey({ exposure, effect }: Subject): string {
  return `${exposure}/${effect}`;
}
