/**
 * What a probe found out about one mechanism on this host.
 * - `ready`: in force here now, by what `detail` says was looked at; may be relied upon
 * - `absent`: looked for and not there
 * - `unknown`: not looked for, or the probe failed; never relied upon
 */
export interface Probe {
  state: 'ready' | 'absent' | 'unknown';
  /** What was looked at and what was seen, for the explanation. */
  detail: string;
}

/** What this host can enforce; an input of every decision, so that a decision can be made again elsewhere. */
export interface HostCapabilities {
  /** The machine type that libvirt gives a domain that names none, for example `pc`. */
  defaultMachine?: string;
  /** `QEMU emulator version ...`, as the emulator says it. */
  qemuVersion?: string;
  /** Devices that the emulator knows (`-device help`); libvirt's defaults, and so guest addresses, depend on them. */
  qemuDevices?: string[];
  kernelGuard: Probe;
  /** The RFC's vfio-pci parameters; `allowIds` are `vvvv:dddd` pairs that they do not apply to. */
  kernelParameters: Probe & {
    allowIds: string[];
    /** Whether `block_pci_unassigned_read` is Y; absent: it is not. */
    blockRead?: true;
  };
  qemuConfigFilter: {
    property: Probe;
    preload: Probe;
    /** The emulator that was probed; absent where that is not known, and then it stands for all. */
    emulator?: string;
    /** Others that were probed, by path. */
    others?: Record<string, { property: Probe; preload: Probe }>;
    /** Path of the library, where it is not the usual one. */
    library?: string;
  };
}

/** A host of which nothing is known: only what stock QEMU and libvirt do by themselves is available. */
export const UNPROBED_HOST: HostCapabilities = {
  kernelGuard: { state: 'unknown', detail: 'this host was not probed' },
  kernelParameters: { state: 'unknown', detail: 'this host was not probed', allowIds: [] },
  qemuConfigFilter: {
    property: { state: 'unknown', detail: 'this host was not probed' },
    preload: { state: 'unknown', detail: 'this host was not probed' },
  },
};
