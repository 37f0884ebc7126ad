/**
 * What the kernel's tables `pci_cap_length` and `pci_ext_cap_length` (drivers/vfio/pci/vfio_pci_config.c) say of each
 * capability. A plain number is its length in bytes.
 */
export type TableLength = number | 'variable' | 'hidden';

/** The entries in which kernels differ; everything else is the same from Linux 6.1 to 7.2. */
export interface VfioTables {
  /** Whether DVSEC (0x23) is shown. Where it is not, its bytes are unassigned, which guests write just as raw. */
  dvsec: 'variable' | 'hidden';
  /** `PCI_CAP_EXP_ENDPOINT_SIZEOF_V2`. 0x32 leaves out Link Status 2 (2 bytes), which is then unassigned: raw. */
  expressV2Length: 0x32 | 0x34;
}

/** Debian's Linux 6.1.192. */
export const TABLES_6_1: VfioTables = { dvsec: 'hidden', expressV2Length: 0x32 };

/** Debian's Linux 6.12.117 and 7.2.13. Earlier releases of 6.12 may still have 0x32. */
export const TABLES_7_2: VfioTables = { dvsec: 'variable', expressV2Length: 0x34 };

export const NEWEST_TABLES = TABLES_7_2;

/** `PCI_CAP_ID_*`, pci_regs.h. */
export const CAP = {
  PM: 0x01,
  VPD: 0x03,
  MSI: 0x05,
  PCIX: 0x07,
  HT: 0x08,
  VNDR: 0x09,
  EXP: 0x10,
  SATA: 0x12,
  AF: 0x13,
  MAX: 0x14,
} as const;

/** `PCI_EXT_CAP_ID_*`, pci_regs.h. */
export const ECAP = {
  AER: 0x01,
  VC: 0x02,
  PWR: 0x04,
  MFVC: 0x08,
  VC9: 0x09,
  VNDR: 0x0b,
  ACS: 0x0d,
  REBAR: 0x15,
  DPA: 0x16,
  TPH: 0x17,
  DVSEC: 0x23,
} as const;

/** The fake ids of `pci_config_map`: the header, and bytes of no capability (`PCI_CAP_ID_INVALID`, `..._VIRT`). */
export const MAP = { HEADER: 0x00, VIRTUAL: 0xfe, UNASSIGNED: 0xff } as const;

export const HEADER_SIZE = 0x40;
export const LEGACY_SIZE = 0x100;
export const EXTENDED_SIZE = 0x1000;

type Row = readonly [name: string, length: TableLength];

const STANDARD: ReadonlyMap<number, Row> = new Map([
  [0x00, ['Null', 'hidden']],
  [0x01, ['Power Management', 8]],
  [0x02, ['AGP', 12]],
  [0x03, ['Vital Product Data', 8]],
  [0x04, ['Slot Identification', 'hidden']],
  [0x05, ['MSI', 'variable']],
  [0x06, ['CompactPCI Hot Swap', 'hidden']],
  [0x07, ['PCI-X', 'variable']],
  [0x08, ['HyperTransport', 'variable']],
  [0x09, ['Vendor-Specific', 'variable']],
  [0x0a, ['Debug Port', 'hidden']],
  [0x0b, ['CompactPCI Central Resource Control', 'hidden']],
  [0x0c, ['Standard Hot-Plug Controller', 'hidden']],
  [0x0d, ['Subsystem Vendor ID', 'hidden']],
  [0x0e, ['AGP Target PCI-PCI Bridge', 'hidden']],
  [0x0f, ['Secure Device', 'hidden']],
  [0x10, ['PCI Express', 'variable']],
  [0x11, ['MSI-X', 12]],
  [0x12, ['SATA Data/Index', 'variable']],
  [0x13, ['Advanced Features', 6]],
  [0x14, ['Enhanced Allocation', 'hidden']],
]);

const EXTENDED: ReadonlyMap<number, Row> = new Map([
  [0x00, ['Null', 'hidden']],
  [0x01, ['Advanced Error Reporting', 0x2c]],
  [0x02, ['Virtual Channel', 'variable']],
  [0x03, ['Device Serial Number', 12]],
  [0x04, ['Power Budgeting', 16]],
  [0x05, ['Root Complex Link Declaration', 'hidden']],
  [0x06, ['Root Complex Internal Link Control', 'hidden']],
  [0x07, ['Root Complex Event Collector', 'hidden']],
  [0x08, ['Multi-Function Virtual Channel', 'variable']],
  [0x09, ['Virtual Channel (with MFVC)', 'variable']],
  [0x0a, ['Root Complex Register Block', 'hidden']],
  [0x0b, ['Vendor-Specific (VSEC)', 'variable']],
  [0x0c, ['Configuration Access Correlation', 'hidden']],
  [0x0d, ['Access Control Services', 'variable']],
  [0x0e, ['Alternative Routing-ID', 8]],
  [0x0f, ['Address Translation Services', 8]],
  [0x10, ['Single Root I/O Virtualization', 0x40]],
  [0x11, ['Multi Root I/O Virtualization', 'hidden']],
  [0x12, ['Multicast', 40]],
  [0x13, ['Page Request Interface', 16]],
  [0x14, ['Reserved for AMD', 'hidden']],
  [0x15, ['Resizable BAR', 'variable']],
  [0x16, ['Dynamic Power Allocation', 'variable']],
  [0x17, ['TPH Requester', 'variable']],
  [0x18, ['Latency Tolerance Reporting', 8]],
  [0x19, ['Secondary PCI Express', 'hidden']],
  [0x1a, ['Protocol Multiplexing', 'hidden']],
  [0x1b, ['Process Address Space ID', 'hidden']],
  [0x1c, ['LN Requester', 'hidden']],
  [0x1d, ['Downstream Port Containment', 'hidden']],
  [0x1e, ['L1 PM Substates', 'hidden']],
  [0x1f, ['Precision Time Measurement', 'hidden']],
  [0x20, ['M-PCIe', 'hidden']],
  [0x21, ['FRS Queueing', 'hidden']],
  [0x22, ['Readiness Time Reporting', 'hidden']],
  [0x23, ['Designated Vendor-Specific (DVSEC)', 'variable']],
  [0x24, ['VF Resizable BAR', 'hidden']],
  [0x25, ['Data Link Feature', 'hidden']],
  [0x26, ['Physical Layer 16.0 GT/s', 'hidden']],
  [0x27, ['Lane Margining at the Receiver', 'hidden']],
  [0x28, ['Hierarchy ID', 'hidden']],
  [0x29, ['Native PCIe Enclosure Management', 'hidden']],
  [0x2a, ['Physical Layer 32.0 GT/s', 'hidden']],
  [0x2b, ['Alternate Protocol', 'hidden']],
  [0x2c, ['System Firmware Intermediary', 'hidden']],
  [0x2d, ['Shadow Functions', 'hidden']],
  [0x2e, ['Data Object Exchange', 'hidden']],
  [0x2f, ['Device 3', 'hidden']],
  [0x30, ['Integrity and Data Encryption', 'hidden']],
  [0x31, ['Physical Layer 64.0 GT/s', 'hidden']],
]);

/** Name of a capability; an id that no table knows is named by its number. */
export function capabilityName(extended: boolean, id: number): string {
  const row = (extended ? EXTENDED : STANDARD).get(id);
  return row?.[0] ?? `Unknown (0x${id.toString(16).padStart(extended ? 4 : 2, '0')})`;
}

/** Length by the kernel's table; what the table does not know vfio hides. */
export function tableLength(extended: boolean, id: number, tables: VfioTables): TableLength {
  if (extended && id === ECAP.DVSEC) return tables.dvsec;
  return (extended ? EXTENDED : STANDARD).get(id)?.[1] ?? 'hidden';
}
