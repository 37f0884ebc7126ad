import { fromProbe } from './availability.js';
import type { Mechanism } from './mechanism.js';

/** The filter in front of QEMU's config accesses: a property of a patched QEMU, or a preloaded library. */
export const qemuConfigFilter: Mechanism = {
  name: 'qemu-config-filter',
  guestChange: 'none',
  exemptionGrain: 'range',
  price: 'libvirt marks the domain as tainted; a running domain must be started anew',
  column: ({ qemuConfigFilter: { property } }) =>
    property.state === 'ready' ? 'filter-property' : 'filter-preload',
  availability: ({ host }) => {
    const { property, preload } = host.qemuConfigFilter;
    if (property.state === 'ready') return fromProbe(property);
    if (preload.state === 'ready') return fromProbe(preload);
    return { available: false, detail: `not available on this host: ${property.detail}; ${preload.detail}` };
  },
};
