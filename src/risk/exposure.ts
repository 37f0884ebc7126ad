/**
 * What a guest can reach of an assigned device. The list is closed: every mechanism states for each entry whether it
 * closes it, and every decision states which stay open.
 */
export const EXPOSURES = {
  'unassigned-extended': 'bytes 0x100-0xfff of config space that belong to no capability the guest is shown',
  'unassigned-legacy': 'bytes 0x40-0xff of config space that belong to no capability the guest is shown',
  'hidden-capability': 'a capability that vfio hides from the guest, but whose bytes it still passes raw',
  'vendor-capability': 'registers of a vendor-specific capability (VNDR, VSEC, DVSEC), which vfio passes raw',
  'power-management': 'the power management control and status register (PMCSR)',
  'aer-registers': 'the status, mask, severity and control registers of Advanced Error Reporting',
  'vpd-write': 'Vital Product Data: persistent storage that the next tenant inherits',
  reset: 'a reset of the device that the guest asks for (FLR bits, D3hot)',
  'config-mirror-in-bar': 'a window in a BAR through which the device shows its config space once more',
  'bar-mmio': 'the registers behind the BARs, which the guest maps; nothing here closes it',
} as const;

export type Exposure = keyof typeof EXPOSURES;

export const EXPOSURE_NAMES = Object.keys(EXPOSURES) as Exposure[];
