import type { Exposure } from './exposure.js';

/** How exactly a risk is known: for this device's ids, or for its class only. */
export type KnownBy = 'device' | 'class';

/** What the database says about an exposure of a device, as a decision records it. */
export interface RiskStatement {
  /** Id of the entry. */
  entry: string;
  knownBy: KnownBy;
  severity: string;
  effect: string;
  confidence: string;
  summary: string;
  /** What already works around it, such as a quirk of the kernel; vfio-warden did not verify that this host has it. */
  handledBy?: string;
  advice?: string;
  /** What vfio-warden cannot do about it. */
  limits?: string;
  evidence: readonly { source: string; reference: string; date: string }[];
}

/** An exposure that one assigned device has. */
export interface Finding {
  exposure: Exposure;
  /** For `config-mirror-in-bar`: whether QEMU traps the window. */
  trapped?: boolean;
  /** Where in config space it lies: below 0x100, from 0x100 on. */
  parts: { legacy: boolean; extended: boolean };
  /** `seen` in the device's config space, or `assumed` because that could not be read. */
  certainty: 'seen' | 'assumed';
  /** What was seen: `1204 bytes`, `VSEC at 0x140`. */
  detail: string;
  /** Present where the risk database names the exposure for this device; the most specific statement. */
  risk?: RiskStatement;
}

/** Registers that a driver of the device needs although no capability describes them. */
export interface CompatibilityNeed {
  entry: string;
  summary: string;
  /** Bytes of config space, both ends included; absent where it is not known which. */
  ranges?: readonly { from: number; to: number }[];
  /** Whose accesses: a filter in QEMU does not see QEMU's own. Absent: the guest's. */
  by?: readonly ('guest' | 'qemu')[];
  /** Directions that are needed; absent: both. */
  access?: readonly ('read' | 'write')[];
  /**
   * Present where the driver reaches them through a window in a BAR, which a limit on the guest's bus does not take away
   * (`vfio_pci_write_config` behind QEMU's quirk).
   */
  through?: 'config-mirror-in-bar';
}

/** What the risk database says of a device although nothing is to be done about it here. */
export interface Notice {
  /** Closing no exposure would help, it was seen where no VFIO stands between, or this host was seen to handle it. */
  reason: 'no-exposure' | 'bare-metal' | 'handled';
  risk: RiskStatement;
  /** What vfio-warden cannot do about it, or what the kernel does. */
  detail: string;
}
