import { CAP, ECAP, tableLength, type VfioTables } from './capability-tables.js';
import type { HardwareReads } from './hardware-reads.js';

/** Length in bytes; 0 where vfio hides the capability; undefined where a read fails, upon which vfio refuses the device. */
type Length = number | undefined;

const roundUp = (value: number, to: number) => Math.ceil(value / to) * to;

const map = (value: number | undefined, length: (value: number) => number): Length =>
  value === undefined ? undefined : length(value);

/** `vfio_msi_cap_len`: 10, 14, 20 or 24. */
const msi = (flags: number) => 10 + (flags & 0x80 ? 4 : 0) + (flags & 0x100 ? 10 : 0);

/** By version and type of the function (`pcie_caps_reg`), not of the capability at hand. */
function express(expressFlags: number, tables: VfioTables): number {
  const rootComplexEndpoint = (expressFlags & 0xf0) >> 4 === 9; // PCI_EXP_TYPE_RC_END: no link registers
  if ((expressFlags & 0xf) === 1) return rootComplexEndpoint ? 0x0c : 0x14;
  return rootComplexEndpoint ? 0x2c : tables.expressV2Length;
}

/** `vfio_vc_cap_len`: the port arbitration tables are not counted. */
function virtualChannel(reads: HardwareReads, start: number): Length {
  const cap1 = reads.dword(start + 4);
  const cap2 = reads.dword(start + 8);
  if (cap1 === undefined || cap2 === undefined) return undefined;
  const phases = cap2 & 8 ? 128 : cap2 & 4 ? 64 : cap2 & 2 ? 32 : 0;
  const channels = 0x10 + (1 + (cap1 & 7)) * 0x0c;
  return phases ? roundUp(channels, 16) + phases / 2 : channels;
}

function accessControl(reads: HardwareReads, start: number): Length {
  const capability = reads.byte(start + 4);
  if (capability === undefined) return undefined;
  if (!(capability & 0x20)) return 8; // no egress control vector
  return map(reads.byte(start + 5), (bits) => 8 + (bits ? roundUp(bits, 32) : 256) / 8);
}

function tph(capability: number): number {
  const tableInCapability = (capability & 0x600) === 0x200;
  return 12 + (tableInCapability ? ((capability >>> 16) & 0x7ff) * 2 + 2 : 0);
}

/** `PCI_REBAR_CTRL` of the first BAR holds their number. */
const resizableBar = (control: number) => 4 + ((control & 0xe0) >> 5) * 8;

function standardVariable(
  id: number,
  start: number,
  reads: HardwareReads,
  tables: VfioTables,
  expressFlags: number,
): Length {
  switch (id) {
    case CAP.MSI:
      return map(reads.word(start + 2), msi);
    case CAP.PCIX:
      return map(reads.word(start + 2), (command) => ((command >> 12) & 3 ? 24 : 8));
    case CAP.HT:
      return map(reads.byte(start + 3), (type) => (type & 0xe0 ? 24 : 28));
    case CAP.VNDR:
      return reads.byte(start + 2);
    case CAP.EXP:
      return express(expressFlags, tables);
    case CAP.SATA:
      return map(reads.byte(start + 4), (registers) => ((registers & 0xf) === 0xf ? 16 : 8));
    default:
      return 0;
  }
}

function extendedVariable(id: number, start: number, reads: HardwareReads): Length {
  switch (id) {
    case ECAP.VNDR:
    case ECAP.DVSEC:
      return map(reads.dword(start + 4), (header) => header >>> 20);
    case ECAP.VC:
    case ECAP.VC9:
    case ECAP.MFVC:
      return virtualChannel(reads, start);
    case ECAP.ACS:
      return accessControl(reads, start);
    case ECAP.REBAR:
      return map(reads.byte(start + 8), resizableBar);
    case ECAP.DPA:
      return map(reads.byte(start + 4), (capability) => 16 + (capability & 0x1f) + 1);
    case ECAP.TPH:
      return map(reads.dword(start + 4), tph);
    default:
      return 0;
  }
}

/**
 * Length of a capability as `vfio_cap_len` and `vfio_ext_cap_len` compute it.
 *
 * @param expressFlags the function's PCI Express Capabilities register (16 bits), 0 where there is none
 */
export function vfioLength(
  extended: boolean,
  id: number,
  start: number,
  reads: HardwareReads,
  tables: VfioTables,
  expressFlags: number,
): Length {
  const length = tableLength(extended, id, tables);
  if (length === 'hidden') return 0;
  if (length !== 'variable') return length;
  return extended
    ? extendedVariable(id, start, reads)
    : standardVariable(id, start, reads, tables, expressFlags);
}

/** Fixed lengths of capabilities that vfio hides: PCIe Base Specification 6.0, section 7; PCI 3.0, appendix H. */
const HIDDEN_STANDARD: ReadonlyMap<number, number> = new Map([
  [0x04, 4], // Slot Identification
  [0x0a, 4], // Debug Port
  [0x0d, 8], // Subsystem Vendor ID
]);
const HIDDEN_EXTENDED: ReadonlyMap<number, number> = new Map([
  [0x00, 4], // Null: a header and nothing else
  [0x07, 12], // Root Complex Event Collector
  [0x0c, 8], // Configuration Access Correlation
  [0x1b, 8], // Process Address Space ID
  [0x1d, 12], // Downstream Port Containment, without the root port's registers
  [0x1e, 16], // L1 PM Substates, without the status register of 6.0
  [0x1f, 12], // Precision Time Measurement
  [0x25, 12], // Data Link Feature
  [0x29, 16], // Native PCIe Enclosure Management
  [0x2e, 24], // Data Object Exchange
]);

/**
 * The least number of bytes that a capability hidden by vfio really has; undefined where the specification makes it
 * depend on what config space does not tell (lanes, streams), or the id is unknown.
 */
export function hiddenLength(
  extended: boolean,
  id: number,
  start: number,
  reads: HardwareReads,
): number | undefined {
  if (!extended) return HIDDEN_STANDARD.get(id);
  if (id === ECAP.DVSEC) return extendedVariable(id, start, reads) || undefined; // hidden by older kernels
  if (id === 0x24) return map(reads.byte(start + 8), resizableBar); // VF Resizable BAR has the same form
  return HIDDEN_EXTENDED.get(id);
}
