import type { DeviceFacts } from '../exposures/exposure.js';
import type { LabMechanism } from '../mechanisms/lab-mechanism.js';
import type { LabHost } from './lab-host.js';

interface Found {
  host: LabHost;
  devices: readonly DeviceFacts[];
}

/** A host on which a mechanism is in force, or why there is none. */
export async function hostFor(
  mechanism: LabMechanism,
  guarded: (mechanism?: LabMechanism) => Promise<Found>,
): Promise<Found | string> {
  try {
    const found = await guarded(mechanism);
    return (await mechanism.missing?.(found.host)) ?? found;
  } catch (error) {
    return (error as Error).message.slice(0, 500);
  }
}
