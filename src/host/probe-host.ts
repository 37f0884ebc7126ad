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
  /** Paths of others that domains may name. What a domain names and is not here is never run. */
  otherEmulators?: readonly string[];
  /** Where sysfs is mounted. */
  sysfs: string;
  /** Path of the preloaded config filter. */
  filterLibrary?: string;
  /** Path of the kernel guard's program; without it the guard is not looked for. */
  wardenGuard?: string;
}

const NOT_LOOKED_FOR: Probe = { state: 'unknown', detail: 'the kernel guard was not looked for' };

/** What keeps QEMU from loading a library, beside the library itself. */
const CONFINEMENT = '/etc/apparmor.d/local/abstractions/libvirt-qemu';

type EmulatorFacts = QemuFacts & { preload: Probe };

/** Emulators are asked once for as long as they and the library are the same files. */
const probes = new Map<string, ProbesByFile<EmulatorFacts>>();

const answered = ({ property, preload }: EmulatorFacts) =>
  property.state !== 'unknown' && preload.state !== 'unknown';

/** Looks at what this host can enforce. Reads only; what cannot be found out is `unknown`. */
export async function probeHost(options: ProbeOptions): Promise<HostCapabilities> {
  const { emulator, otherEmulators = [], sysfs, filterLibrary = FILTER_LIBRARY, wardenGuard } = options;
  const ask = emulatorProbes(sysfs, filterLibrary);
  const [qemu, others, kernelParameters, kernelGuard] = await Promise.all([
    ask(emulator),
    Promise.all(otherEmulators.map(async (path) => [path, carriersOf(await ask(path))] as const)),
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
      ...(others.length > 0 && { others: Object.fromEntries(others) }),
      ...(filterLibrary !== FILTER_LIBRARY && { library: filterLibrary }),
    },
  };
}

function emulatorProbes(sysfs: string, library: string): (path: string) => Promise<EmulatorFacts> {
  const key = `${sysfs} ${library}`;
  const known = probes.get(key);
  const byFile =
    known ??
    new ProbesByFile<EmulatorFacts>(
      async (path) => {
        const preload = probePreload({ emulator: path, library, sysfs });
        return { ...(await probeQemu(path)), preload: await preload };
      },
      { answered },
    );
  if (!known) probes.set(key, byFile);
  return (path) => byFile.of(path, [library, CONFINEMENT]);
}

function carriersOf({ property, preload }: EmulatorFacts): { property: Probe; preload: Probe } {
  return { property, preload };
}
