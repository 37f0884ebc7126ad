import type { Duplex } from 'node:stream';

/**
 * A device of the lab's host. Each file of this folder but this one gives one as its default export; to add a device, add
 * a file.
 */
export interface LabDevice {
  name: string;
  /** `vendor:device` as the host sees it, to find it there. */
  id: string;
  /** Which exposures it is here for. */
  purpose: string;
  /** Whether it is the virtual function that the host makes of an SR-IOV device, and not the device itself. */
  virtualFunction?: boolean;
  /** Arguments of the outer QEMU; `$PORT` is the root port that the device gets, `$DIR` a directory for its files. */
  arguments: readonly string[];
  /** MiB of the empty disk `$DIR/NAME.img` that the device uses. */
  disk?: number;
  /** For a device that is played outside of QEMU: `$FD` in the arguments is the other end of the channel. */
  play?: (channel: Duplex) => void;
  /** Properties of QEMU's vfio-pci in the guest (`qemu:override`), where the device poses as another one. */
  vfioProperties?: Record<string, { type: 'unsigned' | 'signed' | 'bool' | 'string'; value: string }>;
}
