/** Where a decision was asked for. */
export const SURFACES = ['proxy', 'hook', 'reconciler', 'rest', 'cli'] as const;
export type Surface = (typeof SURFACES)[number];

/** Why a decision was made: beside it, not part of it, so that the same inputs give the same decision everywhere. */
export interface Occasion {
  surface: Surface;
  /** What was going on: `define`, `create`, `attach`, `prepare`, `start`, `migrate`, `restore`, `reconcile`, ... */
  operation: string;
}
