import type { Cell } from '../evidence/compare.js';
import type { Column } from '../evidence/observation.js';
import type { DeviceFacts, LabExposure } from '../exposures/exposure.js';
import type { LabHost } from '../outside/lab-host.js';
import type { LabMechanism } from '../mechanisms/lab-mechanism.js';

/** What a case may use. */
export interface LabContext {
  /**
   * A host with vfio-warden in front of libvirt, shared by all cases that leave it as they found it; for a mechanism that needs
   * a host of its own, that one.
   */
  guarded(mechanism?: LabMechanism): Promise<{ host: LabHost; devices: readonly DeviceFacts[] }>;
  /** A host of the case's own, without vfio-warden; the case switches it off. */
  bare(): Promise<{ host: LabHost; devices: readonly DeviceFacts[] }>;
  /** The same, booted by systemd, with Debian's units for libvirt. */
  bySystemd(): Promise<{ host: LabHost; devices: readonly DeviceFacts[] }>;
  exposures: readonly LabExposure[];
  mechanisms: readonly LabMechanism[];
  /** Columns that this run must have seen: where one cannot, the case fails. */
  demanded: ReadonlySet<Column>;
  /** Says what goes on. */
  say(text: string): void;
}

/** What a case has shown. */
export interface CaseResult {
  /** One line each, for the evidence. */
  seen: string[];
  /** What differs from what the product claims; empty where nothing does. */
  failures: string[];
  /** Cells of the coverage table. */
  cells?: Cell[];
}

/** Each file of this folder but this one gives one or more cases as its default export. */
export interface LabCase {
  name: string;
  summary: string;
  /** Whether it is run where no case is named. */
  byDefault: boolean;
  run(context: LabContext): Promise<CaseResult>;
}
