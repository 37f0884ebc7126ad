import { CAP, ECAP } from './capability-tables.js';
import type { Capability, HiddenCapability } from './capability-walk.js';
import type { ConfigSpaceLayout, ConfigSpacePart } from './layout.js';

/** Where a layout is not complete, `undefined` stands for "cannot be told" in all answers here. */

/** Capabilities that vfio hides although their bytes stay raw, of one chain. */
export function hiddenCapabilities(
  layout: ConfigSpaceLayout,
  part: ConfigSpacePart,
): HiddenCapability[] | undefined {
  return layout.complete
    ? layout.hidden.filter(({ extended }) => extended === (part === 'extended'))
    : undefined;
}

/** Whether the guest is shown such a capability. */
export function hasCapability(layout: ConfigSpaceLayout, extended: boolean, id: number): boolean | undefined {
  if (layout.capabilities.some((at) => at.extended === extended && at.id === id)) return true;
  return layout.complete ? false : undefined;
}

export const hasVpd = (layout: ConfigSpaceLayout) => hasCapability(layout, false, CAP.VPD);
export const hasAer = (layout: ConfigSpaceLayout) => hasCapability(layout, true, ECAP.AER);

/** Vendor-specific capabilities (VNDR, VSEC, DVSEC): vfio passes them raw. */
export function vendorCapabilities(layout: ConfigSpaceLayout): Capability[] | undefined {
  return layout.complete ? layout.capabilities.filter(isVendorCapability) : undefined;
}

export function isVendorCapability({ extended, id }: Capability): boolean {
  return extended ? id === ECAP.VNDR || id === ECAP.DVSEC : id === CAP.VNDR;
}

/** All capabilities of both chains, shown and hidden, by offset. */
export function capabilitiesByOffset(layout: ConfigSpaceLayout): (Capability | HiddenCapability)[] {
  return [...layout.capabilities, ...layout.hidden].toSorted((a, b) => a.start - b.start);
}
