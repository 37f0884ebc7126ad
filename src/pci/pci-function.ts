import type { Bdf } from './bdf.js';

/** Functions of one host: as many as one PCI domain has addresses. */
export const MAX_FUNCTIONS = 65_536;

/** Config space of PCI Express (PCIe base specification 7.2.2). */
export const MAX_CONFIG_BYTES = 4096;

/** A file name in sysfs, so without a slash. */
export const DRIVER_NAME = /^[\x20-\x2e\x30-\x7e]{1,64}$/;

/** The kernel has seven (`pci_reset_fn_methods`); the bounds leave room for more. */
export const RESET_METHOD = /^[a-z_]{1,32}$/;
export const MAX_RESET_METHODS = 16;

/** Physical function, or virtual function of an SR-IOV device. */
export type PciFunctionKind = 'pf' | 'vf';

/**
 * One PCI function of the host, as sysfs shows it. All ids are lower-case hexadecimal without a prefix, so that they
 * compare as strings.
 */
export interface PciFunction {
  bdf: Bdf;
  /** 4 digits. */
  vendor: string;
  /** 4 digits. */
  device: string;
  /** 4 digits; absent where the function has none (bridges, some virtual functions). */
  subsystemVendor?: string;
  subsystemDevice?: string;
  /** 2 digits. */
  revision: string;
  /** 6 digits: base class, sub-class, programming interface. */
  class: string;
  kind: PciFunctionKind;
  /** The physical function that this virtual function belongs to. */
  physicalFunction?: Bdf;
  /** Kernel driver bound now. */
  driver?: string;
  /** IOMMU group number; absent where the host has no IOMMU. */
  iommuGroup?: number;
  /** What `reset_method` lists, in the kernel's order: `flr`, `pm`, `bus`, `af_flr`, `device_specific`, ... */
  resetMethods: string[];
  /**
   * Whether the function has a PCI Express capability; undefined where config space could not be read far enough to
   * know. Libvirt places the two kinds on different buses (`virPCIDeviceIsPCIExpress`).
   */
  express?: boolean;
  /**
   * Config space from byte 0, at most 4,096 bytes. Sysfs gives `configSize` bytes to CAP_SYS_ADMIN and only the first
   * 64 (CardBus bridges: 128) to others (`pci_read_config`). Absent where it was not or could not be read.
   */
  configSpace?: Uint8Array;
  /**
   * Size in bytes of the function's config space as the kernel sees it (`pdev->cfg_size`): 256 or 4,096, or a quirk's
   * cap below (NFP: 1,536). Where config space was not read in full this is the file's size, which rounds a cap up.
   */
  configSize?: number;
}
