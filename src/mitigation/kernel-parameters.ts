import { fromProbe } from './availability.js';
import type { Mechanism } from './mechanism.js';

/** `block_pci_unassigned_write` of the RFC 20250426212253.40473-1-chath@bu.edu, on kernels that have it. */
export const kernelParameters: Mechanism = {
  name: 'kernel-parameters',
  guestChange: 'none',
  exemptionGrain: 'device',
  price:
    'acts on every device of the host; a device that needs unassigned registers must be allowed as a whole',
  column: () => 'kernel-parameters',
  availability: ({ host, function: fn }) => {
    const { allowIds } = host.kernelParameters;
    if (fn && allowIds.includes(`${fn.vendor}:${fn.device}`)) {
      return { available: false, detail: `uaccess_allow_ids exempts ${fn.vendor}:${fn.device} from it` };
    }
    return fromProbe(host.kernelParameters);
  },
  passesReads: ({ host }) => host.kernelParameters.blockRead !== true,
};
