import { setImmediate as pause } from 'node:timers/promises';
import type { DecisionBasis } from '../../decision/decision.service.js';
import { unmatchedSelectors } from '../effect/unmatched-selectors.js';
import { admitsNode } from '../policy-evaluation.js';

const MAX_WARNINGS = 100;
/** Rules whose selectors are compared with the inventory before decisions have their turn. */
const RULES_AT_ONCE = 50;

/** What is no mistake in the revision in force, but perhaps not meant; of many the first. */
export class RevisionWarnings {
  /** Those that hold on every host. */
  ofDocuments: readonly string[] = [];
  lines: readonly string[] = [];
  private seen: Pick<DecisionBasis, 'policy' | 'inventory'> | undefined;

  constructor(private readonly basis: () => DecisionBasis) {}

  /** Looks again where the revision or the inventory is another than last time. */
  async look(): Promise<void> {
    const { policy, inventory, node } = this.basis();
    if (this.seen?.policy === policy && this.seen.inventory === inventory) return;
    const { rules, exemptions = [] } = policy;
    const own = rules.filter(({ scope }) => !node || admitsNode(scope, node));
    const lines = [...this.ofDocuments];
    for (let at = 0; at < own.length && lines.length < MAX_WARNINGS; at += RULES_AT_ONCE) {
      lines.push(...unmatchedSelectors({ rules: own.slice(at, at + RULES_AT_ONCE) }, inventory));
      await pause();
    }
    lines.push(...unmatchedSelectors({ rules: [], exemptions }, inventory));
    this.lines = lines.slice(0, MAX_WARNINGS);
    this.seen = { policy, inventory };
  }
}
