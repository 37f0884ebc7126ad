import type { Probe } from '../host/host-capabilities.js';
import type { Availability } from './mechanism.js';

/** Only what a probe has seen ready is available: unknown is unknown, not yes. */
export function fromProbe(probe: Probe): Availability {
  return {
    available: probe.state === 'ready',
    detail: probe.state === 'ready' ? probe.detail : `not available on this host: ${probe.detail}`,
  };
}
