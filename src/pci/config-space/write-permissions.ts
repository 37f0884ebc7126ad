import { CAP, ECAP, type VfioTables } from './capability-tables.js';

/**
 * How a guest's write to one byte fares in vfio-pci:
 * - `raw`: all eight bits reach hardware as written;
 * - `partly`: some bits reach hardware as written, the others are dropped, kept in the kernel's copy, or checked;
 * - `mediated`: no bit does, but the kernel acts on the device for the guest (a reset, a write to VPD storage);
 * - `virtualised`: the kernel keeps it in a copy of its own;
 * - `dropped`: nothing happens.
 */
export const WRITE_REACHES = ['raw', 'partly', 'mediated', 'virtualised', 'dropped'] as const;

export type WriteReach = (typeof WRITE_REACHES)[number];

/** The kernel's `struct perm_bits`: for each byte of a capability which bits are virtual and which may be written. */
export interface Permissions {
  /** Length of the kernel's arrays, rounded up to 4; a longer capability would be judged by memory behind them. */
  size: number;
  virtual: Uint8Array;
  write: Uint8Array;
  /** Bytes upon which a write function acts on the device. */
  mediated: ReadonlySet<number>;
}

/** `raw` has the kernel's `vfio_raw_config_write`, `none` no write function at all. */
export type WriteRule = Permissions | 'raw' | 'none';

type Field = readonly [offset: number, bytes: 1 | 2 | 4, virtual: number, write: number];

const ALL = 0xffffffff;

function permissions(
  length: number,
  fields: readonly Field[],
  mediated: readonly number[] = [],
): Permissions {
  const size = Math.ceil(length / 4) * 4;
  const table = {
    size,
    virtual: new Uint8Array(size),
    write: new Uint8Array(size),
    mediated: new Set(mediated),
  };
  for (const [offset, bytes, virtual, write] of fields) {
    for (let i = 0; i < bytes; i++) {
      table.virtual[offset + i] = virtual >>> (8 * i);
      table.write[offset + i] = write >>> (8 * i);
    }
  }
  return table;
}

const NEXT_POINTER: Field = [1, 1, ALL, 0];
const EXTENDED_HEADER: Field = [0, 4, ALL, 0];

/** `init_pci_cap_basic_perm`. */
const HEADER = permissions(0x40, [
  [0x00, 4, ALL, 0], // vendor and device id
  [0x04, 2, 0x0400, ALL], // COMMAND, but INTx disable
  [0x06, 2, 0x0010, 0], // STATUS: capability list
  [0x0c, 1, 0, ALL], // cache line size
  [0x0d, 1, 0, ALL], // latency timer
  [0x0f, 1, 0, ALL], // BIST
  ...[0x10, 0x14, 0x18, 0x1c, 0x20, 0x24, 0x30].map((bar): Field => [bar, 4, ALL, ALL]),
  [0x34, 1, ALL, 0], // capabilities pointer
  [0x3c, 1, ALL, ALL], // interrupt line
  [0x3d, 1, ALL, 0], // interrupt pin
]);

/** `init_pci_cap_pm_perm`: PowerState goes to `vfio_pci_set_power_state`, all of PMCSR but it and PME to hardware. */
const POWER_MANAGEMENT = permissions(8, [NEXT_POINTER, [2, 2, 0xf800, 0], [4, 4, 0x8100, ALL - 0x8103]], [4]);

/**
 * `init_pci_cap_vpd_perm`: address and data are staged in the kernel's copy; a write of the address's upper byte, which
 * has the flag, makes `pci_write_vpd` write them to the device's storage.
 */
const VPD = permissions(8, [NEXT_POINTER, [2, 2, ALL, ALL], [4, 4, ALL, ALL]], [3]);

/** `init_pci_cap_pcix_perm`. */
const PCIX = permissions(24, [NEXT_POINTER, [2, 2, 0, ALL], [8, 4, 0, ALL]]);

/** `init_pci_cap_af_perm`: the FLR bit, where the device has it. */
const ADVANCED_FEATURES = permissions(6, [NEXT_POINTER, [4, 1, 0x01, 0x01]], [4]);

/** `init_pci_ext_cap_err_perm`. */
const AER = permissions(0x2c, [
  EXTENDED_HEADER,
  [0x04, 4, 0, 0x03fff031], // uncorrectable status, mask, severity
  [0x08, 4, 0, 0x03fff031],
  [0x0c, 4, 0, 0x03fff031],
  [0x10, 4, 0, 0xf1c1], // correctable status, mask
  [0x14, 4, 0, 0xf1c1],
  [0x18, 4, 0, 0x0140], // ECRC enables
]);

/** `init_pci_ext_cap_pwr_perm`: it opens the (read-only) data register, though its comment means the data selector. */
const POWER_BUDGETING = permissions(16, [EXTENDED_HEADER, [8, 1, 0, ALL]]);

/** `init_pci_cap_exp_perm`: FLR and MRRS are acted upon by `vfio_exp_config_write`. */
function express(tables: VfioTables): Permissions {
  const fields: Field[] = [NEXT_POINTER, [0x08, 2, 0xf0e0, 0xfdff], [0x28, 2, 0, 0xffdf]];
  return permissions(tables.expressV2Length, fields, [9]);
}

/** `init_pci_cap_msi_perm`; the flags are those of the function's first MSI capability. */
function msi(flags: number): Permissions {
  const wide = (flags & 0x80) !== 0;
  const maskable = (flags & 0x100) !== 0;
  const fields: Field[] = [NEXT_POINTER, [4, 4, ALL, ALL]];
  // vfio_msi_config_write gives the flags to hardware, but the enable bit only by ioctl and at most the vectors there are.
  fields.push([2, 1, 0x01, ALL]);
  if (wide) fields.push([8, 4, ALL, ALL]);
  const data = wide ? 0x0c : 0x08;
  fields.push([data, 2, ALL, ALL]);
  if (maskable) fields.push([data + 4, 4, 0, ALL], [data + 8, 4, 0, ALL]); // mask, pending
  return permissions(10 + (wide ? 4 : 0) + (maskable ? 10 : 0), fields, [2]);
}

/** Facts of one function that its permissions depend on. */
export interface PermissionFacts {
  tables: VfioTables;
  /** Message Control of the first MSI capability that vfio met; undefined where there is none. */
  msiFlags: number | undefined;
}

/** The permissions that `vfio_pci_config_rw` picks for a byte whose `pci_config_map` entry is given (not the fake ids). */
export function writeRules(facts: PermissionFacts): {
  header: Permissions;
  standard: (id: number) => WriteRule;
  extended: (id: number) => WriteRule;
} {
  const standard = new Map<number, WriteRule>([
    [CAP.PM, POWER_MANAGEMENT],
    [CAP.VPD, VPD],
    [CAP.PCIX, PCIX],
    [CAP.VNDR, 'raw'],
    [CAP.EXP, express(facts.tables)],
    [CAP.AF, ADVANCED_FEATURES],
  ]);
  if (facts.msiFlags !== undefined) standard.set(CAP.MSI, msi(facts.msiFlags));
  const extended = new Map<number, WriteRule>([
    [ECAP.AER, AER],
    [ECAP.PWR, POWER_BUDGETING],
    [ECAP.VNDR, 'raw'],
  ]);
  if (facts.tables.dvsec === 'variable') extended.set(ECAP.DVSEC, 'raw');
  return {
    header: HEADER,
    standard: (id) => standard.get(id) ?? 'none',
    extended: (id) => extended.get(id) ?? 'none',
  };
}
