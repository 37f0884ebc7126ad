import type { HostCapabilities } from './host-capabilities.js';
import { probeKernelParameters } from './probe-kernel.js';
import { probeQemu } from './probe-qemu.js';

export interface ProbeOptions {
  /** Path of the emulator that libvirt starts. */
  emulator: string;
  /** Where sysfs is mounted. */
  sysfs: string;
}

/** Looks at what this host can enforce. Reads only; what cannot be found out is `unknown`. */
export async function probeHost({ emulator, sysfs }: ProbeOptions): Promise<HostCapabilities> {
  const [qemu, kernelParameters] = await Promise.all([probeQemu(emulator), probeKernelParameters(sysfs)]);
  const { property, ...facts } = qemu;
  return {
    ...facts,
    kernelGuard: { state: 'absent', detail: 'this version of vfio-warden has no kernel guard' },
    kernelParameters,
    qemuConfigFilter: {
      property,
      preload: { state: 'absent', detail: 'this version of vfio-warden has no preloaded filter' },
    },
  };
}
