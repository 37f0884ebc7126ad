import { GuardProgram } from './guard/guard-program.js';
import { probeGuard } from './guard/probe-guard.js';
import type { HostCapabilities, Probe } from './host-capabilities.js';
import { probeKernelParameters } from './probe-kernel.js';
import { probeQemu } from './probe-qemu.js';

export interface ProbeOptions {
  /** Path of the emulator that libvirt starts. */
  emulator: string;
  /** Where sysfs is mounted. */
  sysfs: string;
  /** Path of the kernel guard's program; without it the guard is not looked for. */
  wardenGuard?: string;
}

const NOT_LOOKED_FOR: Probe = { state: 'unknown', detail: 'the kernel guard was not looked for' };

/** Looks at what this host can enforce. Reads only; what cannot be found out is `unknown`. */
export async function probeHost({ emulator, sysfs, wardenGuard }: ProbeOptions): Promise<HostCapabilities> {
  const [qemu, kernelParameters, kernelGuard] = await Promise.all([
    probeQemu(emulator),
    probeKernelParameters(sysfs),
    wardenGuard === undefined ? NOT_LOOKED_FOR : probeGuard(new GuardProgram(wardenGuard)),
  ]);
  const { property, ...facts } = qemu;
  return {
    ...facts,
    kernelGuard,
    kernelParameters,
    qemuConfigFilter: {
      property,
      preload: { state: 'absent', detail: 'this version of vfio-warden has no preloaded filter' },
    },
  };
}
