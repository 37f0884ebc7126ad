import type { StoredEvent } from '../../src/store/records.js';
import type { LabHost } from './lab-host.js';

/** Milliseconds: an emulated processor takes long over the looks of a service. */
const TOLD_WITHIN_MS = 60_000;

/**
 * What the service has read back of the config filter of a column's domain.
 *
 * @throws Error where that is not that it was seen
 */
export async function filterReadBack(host: LabHost, column: string): Promise<string> {
  const deadline = Date.now() + TOLD_WITHIN_MS;
  for (;;) {
    const { items } = (await host.api(`/v1/events?domain=lab-${column}`)) as { items: StoredEvent[] };
    const told = items.find(({ kind }) => kind === 'verified' || kind === 'unverified');
    if (told?.kind === 'verified') return `verified: ${told.detail}`;
    if (told || Date.now() > deadline) {
      throw new Error(`the filter was not read back: ${told?.detail ?? 'nothing was told'}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}
