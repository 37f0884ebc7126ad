import { CAP, ECAP, LEGACY_SIZE } from '../../pci/config-space/capability-tables.js';
import { vendorCapabilities } from '../../pci/config-space/layout-questions.js';
import type { ConfigSpaceLayout } from '../../pci/config-space/layout.js';
import { runsOf } from '../../pci/config-space/map-categories.js';
import type { AccessRule, RefusedIoctl, WrittenBits } from './access-rules.js';

/** A window in a BAR that shows config space, and whose accesses QEMU traps. */
export interface MirrorWindow {
  /** 0 to 5. */
  bar: number;
  /** In bytes from the start of the BAR. */
  offset: number;
  /** In bytes, at least 1. */
  size: number;
}

/** What closes one exposure. */
export interface ExposureRules {
  rules: AccessRule[];
  ioctls: RefusedIoctl[];
}

/** `undefined` where the layout does not tell where the registers are. */
type Placed = ExposureRules | undefined;

/** PCI_PM_CTRL and its neighbours, PCI Bus Power Management Interface specification 1.2, 3.2.4: all four bytes. */
export function powerManagementRules(layout: ConfigSpaceLayout): Placed {
  const starts = standardCapabilities(layout, CAP.PM);
  return starts && { rules: starts.map((at) => blockWrites(at + 4, at + 7)), ioctls: ['low-power'] };
}

/** Status, mask and severity registers, capabilities and control (PCIe base specification 7.8.4.2 to 7.8.4.7). */
export function aerRules(layout: ConfigSpaceLayout): Placed {
  if (!layout.complete) return undefined;
  const starts = layout.capabilities.filter(({ extended, id }) => extended && id === ECAP.AER);
  return { rules: starts.map(({ start }) => blockWrites(start + 4, start + 0x1b)), ioctls: [] };
}

/** The flag that makes `vfio_vpd_config_write` store the data; what is read has it clear (PCI 3.0, appendix I). */
export function vpdRules(layout: ConfigSpaceLayout): Placed {
  const starts = standardCapabilities(layout, CAP.VPD);
  return starts && { rules: starts.map((at) => blockBits(at + 3, 0x80)), ioctls: [] };
}

/**
 * Every way in which a guest asks for a reset: the FLR bits that `vfio_exp_config_write` and `vfio_af_config_write` act
 * upon, D3hot (leaving it resets the function, unless No_Soft_Reset is set), and QEMU's request when the guest restarts.
 */
export function resetRules(layout: ConfigSpaceLayout): Placed {
  const express = standardCapabilities(layout, CAP.EXP);
  const advancedFeatures = standardCapabilities(layout, CAP.AF);
  const power = standardCapabilities(layout, CAP.PM);
  if (!express || !advancedFeatures || !power) return undefined;
  return {
    rules: [
      ...express.map((at) => blockBits(at + 9, 0x80)), // PCI_EXP_DEVCTL_BCR_FLR
      ...advancedFeatures.map((at) => blockBits(at + 4, 0x01)), // PCI_AF_CTRL_FLR
      ...power.map((at) => blockBits(at + 4, 0x03)), // PCI_PM_CTRL_STATE_MASK: D3hot
    ],
    ioctls: ['reset'],
  };
}

/** All bytes of VNDR, VSEC and DVSEC. */
export function vendorRules(layout: ConfigSpaceLayout): Placed {
  const capabilities = vendorCapabilities(layout);
  return (
    capabilities && {
      rules: capabilities.map(({ start, length }) => blockWrites(start, start + length - 1)),
      ioctls: [],
    }
  );
}

/**
 * The bytes of hidden capabilities. Where a length cannot be told, the capability may reach as far as bytes belong to
 * nobody else, and so does the rule.
 */
export function hiddenRules(layout: ConfigSpaceLayout): Placed {
  if (!layout.complete) return undefined;
  const covered = layout.owner.map((owner) => owner.kind === 'unassigned' && owner.hidden !== undefined);
  for (const { start } of layout.hidden.filter(({ length }) => length === undefined)) {
    const part = start < LEGACY_SIZE ? Math.min(LEGACY_SIZE, layout.size) : layout.size;
    for (let at = start; at < part; at++) {
      const owner = layout.owner[at]!;
      if (owner.kind === 'anchor') continue;
      if (owner.kind !== 'unassigned' || (owner.hidden && owner.hidden.start > start)) break;
      covered[at] = true;
    }
  }
  const runs = runsOf(covered).filter(({ value }) => value);
  return { rules: runs.map(({ start, length }) => blockWrites(start, start + length - 1)), ioctls: [] };
}

/** What QEMU writes to a trapped window for the guest, and the shortcut by which it stops to trap it. */
export function mirrorRules(mirrors: readonly MirrorWindow[]): ExposureRules {
  return {
    rules: mirrors.map(({ bar, offset, size }) => ({
      ...blockWrites(offset, offset + size - 1),
      region: `bar${bar}` as AccessRule['region'],
    })),
    ioctls: mirrors.length > 0 ? ['ioeventfd'] : [],
  };
}

/** Where such standard capabilities start; undefined where the chain was not read. */
function standardCapabilities(layout: ConfigSpaceLayout, wanted: number): number[] | undefined {
  if (!layout.complete && layout.size < LEGACY_SIZE) return undefined;
  return layout.capabilities
    .filter(({ extended, id }) => !extended && id === wanted)
    .map(({ start }) => start);
}

function blockWrites(from: number, to: number, when?: WrittenBits): AccessRule {
  return { region: 'cfg', from, to, directions: ['write'], effect: 'block', ...(when && { when }) };
}

/** Blocks a write that sets all these bits of a byte. */
function blockBits(at: number, bits: number): AccessRule {
  return blockWrites(at, at, { mask: bits, value: bits });
}
