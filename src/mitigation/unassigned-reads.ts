import type { CompatibilityNeed } from '../risk/finding.js';
import type { Exposure } from '../risk/exposure.js';
import { needsReadsAlone } from './driver-needs.js';
import type { Mechanism, MechanismContext } from './mechanism.js';

/** Registers that no mechanism can tell apart when a driver needs some of them, but it is not known which. */
export const UNASSIGNED: ReadonlySet<Exposure> = new Set([
  'unassigned-legacy',
  'unassigned-extended',
  'hidden-capability',
]);

/** What policy and the device's driver say of reads of unassigned bytes. */
export interface ReadsAsked {
  /** Whether the unassigned bytes that are closed to writes are to be closed to reads, too. */
  closeReads: boolean;
  needs: readonly CompatibilityNeed[];
}

/** Exposures that are closed to writes and not to reads, although policy asks for that, and why. */
export interface OpenReads {
  exposures: Exposure[];
  reason: string;
}

/** Of the exposures that a mechanism closes to writes, those that it closes to reads, too. */
export function readsClosed(
  { exemptionGrain, passesReads }: Mechanism,
  context: MechanismContext,
  needs: readonly CompatibilityNeed[],
  closes: readonly Exposure[],
): Exposure[] {
  // What a topology takes away cannot be read either; rules and parameters act on what they are told to.
  const spared = exemptionGrain !== 'outside' && needs.some(needsReadsAlone);
  return spared || passesReads?.(context) ? [] : closes.filter((exposure) => UNASSIGNED.has(exposure));
}

/** What the chosen mechanisms close to writes alone, although policy asks for more. */
export function readsLeftOpen(
  { closeReads, needs }: ReadsAsked,
  mechanisms: readonly { closes: readonly Exposure[]; reads?: readonly Exposure[] }[],
): OpenReads | undefined {
  if (!closeReads) return undefined;
  const closed = new Set(mechanisms.flatMap(({ reads = [] }) => reads));
  const closable = mechanisms.flatMap(({ closes }) => closes.filter((each) => UNASSIGNED.has(each)));
  const exposures = [...new Set(closable)].filter((exposure) => !closed.has(exposure));
  if (exposures.length === 0) return undefined;
  const need = needs.find(needsReadsAlone);
  return {
    exposures,
    reason: need
      ? `the device's driver reads there: ${need.summary} (${need.entry})`
      : 'block_pci_unassigned_read acts on every device of the host, and not all of them are to have it',
  };
}
