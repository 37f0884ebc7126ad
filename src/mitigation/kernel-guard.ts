import { fromProbe } from './availability.js';
import type { Mechanism } from './mechanism.js';

/** The eBPF guard in the kernel: judges each access to a vfio device before vfio sees it. */
export const kernelGuard: Mechanism = {
  name: 'kernel-guard',
  guestChange: 'none',
  exemptionGrain: 'range',
  price: 'every read and write system call of the host costs some 200 instructions more',
  column: () => 'kernel-guard',
  availability: ({ host }) => fromProbe(host.kernelGuard),
};
