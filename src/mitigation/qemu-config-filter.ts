import type { DomainDocument } from '../domain-xml/domain-document.js';
import { childNamed } from '../domain-xml/xml-reader.js';
import type { HostCapabilities, Probe } from '../host/host-capabilities.js';
import { fromProbe } from './availability.js';
import type { Mechanism } from './mechanism.js';

/** How the filter reaches a domain's QEMU. */
export interface FilterCarrier {
  name: 'property' | 'preload';
  /** Path of the library, which the carrier `preload` needs. */
  library: string;
}

/** Where the library is installed, if the configuration does not say otherwise. */
export const FILTER_LIBRARY = '/usr/lib/vfio-warden/vfio-config-filter.so';

/** The carrier that a domain's own emulator takes; undefined where it takes none. */
export function carrierFor(document: DomainDocument, host: HostCapabilities): FilterCarrier | undefined {
  const { property, preload } = probesFor(document, host);
  const library = host.qemuConfigFilter.library ?? FILTER_LIBRARY;
  if (property.state === 'ready') return { name: 'property', library };
  return preload.state === 'ready' ? { name: 'preload', library } : undefined;
}

/** What was found of the emulator that the domain names; of one that was not probed nothing is known. */
function probesFor(
  { devices }: DomainDocument,
  { qemuConfigFilter }: HostCapabilities,
): { property: Probe; preload: Probe } {
  const named = devices && childNamed(devices, 'emulator')?.text.trim();
  const { emulator } = qemuConfigFilter;
  if (named === undefined || named === '' || emulator === undefined || named === emulator)
    return qemuConfigFilter;
  const other = qemuConfigFilter.others?.[named];
  if (other) return other;
  const unknown: Probe = {
    state: 'unknown',
    detail: `the domain's emulator ${named.slice(0, 100)} was not probed (setting otherEmulators)`,
  };
  return { property: unknown, preload: unknown };
}

/** The filter in front of QEMU's config accesses: a property of a patched QEMU, or a preloaded library. */
export const qemuConfigFilter: Mechanism = {
  name: 'qemu-config-filter',
  guestChange: 'none',
  exemptionGrain: 'range',
  price: 'libvirt marks the domain as tainted (custom-argv); a running domain must be started anew',
  column: ({ document, host }) =>
    carrierFor(document, host)?.name === 'property' ? 'filter-property' : 'filter-preload',
  availability: ({ document, host, device }) => {
    const { property, preload } = probesFor(document, host);
    if (property.state !== 'ready' && preload.state !== 'ready') {
      const details = [...new Set([property.detail, preload.detail])].join('; ');
      return { available: false, detail: `not available on this host: ${details}` };
    }
    if (device.source === undefined) {
      return { available: false, detail: 'its rules go by the host function, which the XML does not tell' };
    }
    return fromProbe(property.state === 'ready' ? property : preload);
  },
};
