import { GuardProgram } from './guard/guard-program.js';
import { probeGuard } from './guard/probe-guard.js';
import { FILTER_LIBRARY } from '../mitigation/qemu-config-filter.js';
import { ProbesByFile } from './emulator-probes.js';
import type { HostCapabilities, Probe } from './host-capabilities.js';
import { probeKernelParameters } from './probe-kernel.js';
import { probePreload } from './probe-preload.js';
import { probeQemu, type QemuFacts } from './probe-qemu.js';

export interface ProbeOptions {
  /** Path of the emulator that libvirt starts. */
  emulator: string;
  /** Where sysfs is mounted. */
  sysfs: string;
  /** Path of the preloaded config filter. */
  filterLibrary?: string;
  /** Path of the kernel guard's program; without it the guard is not looked for. */
  wardenGuard?: string;
}

const NOT_LOOKED_FOR: Probe = { state: 'unknown', detail: 'the kernel guard was not looked for' };

/** Emulators are asked once for as long as they and the library are the same files. */
const probes = new Map<string, ProbesByFile<QemuFacts & { preload: Probe }>>();

/** Looks at what this host can enforce. Reads only; what cannot be found out is `unknown`. */
export async function probeHost(options: ProbeOptions): Promise<HostCapabilities> {
  const { emulator, sysfs, filterLibrary = FILTER_LIBRARY, wardenGuard } = options;
  const key = `${sysfs} ${filterLibrary}`;
  const byFile =
    probes.get(key) ??
    new ProbesByFile(async (path: string) => {
      const preload = probePreload({ emulator: path, library: filterLibrary, sysfs });
      return { ...(await probeQemu(path)), preload: await preload };
    });
  probes.set(key, byFile);
  const [qemu, kernelParameters, kernelGuard] = await Promise.all([
    byFile.of(emulator, [filterLibrary, '/etc/apparmor.d/local/abstractions/libvirt-qemu']),
    probeKernelParameters(sysfs),
    wardenGuard === undefined ? NOT_LOOKED_FOR : probeGuard(new GuardProgram(wardenGuard)),
  ]);
  const { property, preload, ...facts } = qemu;
  return {
    ...facts,
    kernelGuard,
    kernelParameters,
    qemuConfigFilter: {
      property,
      preload,
      emulator,
      ...(filterLibrary !== FILTER_LIBRARY && { library: filterLibrary }),
    },
  };
}
