import type { ConfigSpaceLayout } from '../../pci/config-space/layout.js';
import type { Exposure } from '../../risk/exposure.js';
import type { ByteRange } from '../mechanism.js';
import type { AccessRule, AccessRules, Direction, Effect, RefusedIoctl } from './access-rules.js';
import {
  aerRules,
  hiddenRules,
  mirrorRules,
  powerManagementRules,
  resetRules,
  vendorRules,
  vpdRules,
  type ExposureRules,
  type MirrorWindow,
} from './exposure-rules.js';

/** What the rules for one function follow from. */
export interface RuleRequest {
  /** Absent where config space could not be read. */
  layout: ConfigSpaceLayout | undefined;
  /** Exposures that the plan closes by a mechanism with rules. */
  closes: readonly Exposure[];
  /** Bytes of config space that the plan leaves to the device's driver. */
  exempt: readonly ByteRange[];
  /** The device's windows that QEMU traps (`trappedByQemu: always`). */
  mirrors: readonly MirrorWindow[];
  /** What becomes of reads of the unassigned bytes that are closed to writes; they pass by default. */
  unassignedReads?: Effect;
}

export interface PlannedRules {
  rules: AccessRules;
  /** Exposures that were to be closed, but the layout does not tell where their registers are: they stay open. */
  unplaced: Exposure[];
}

/** What is unassigned is closed by one statement, so a part that stays open is allowed again. */
const UNASSIGNED_PARTS: readonly { exposure: Exposure; range: ByteRange }[] = [
  { exposure: 'unassigned-legacy', range: { from: 0x00, to: 0xff } },
  { exposure: 'unassigned-extended', range: { from: 0x100, to: 0xfff } },
];

/** Whole areas first; then what a driver needs of them; then single registers, which no exemption is meant for. */
const AREAS = ['hidden-capability', 'vendor-capability'] as const satisfies Exposure[];
const REGISTERS = [
  'power-management',
  'aer-registers',
  'vpd-write',
  'reset',
  'config-mirror-in-bar',
] as const satisfies Exposure[];

type RuledExposure = (typeof AREAS | typeof REGISTERS)[number];

/** Rules for one function. With nothing to close they let everything pass, so that no standard of the host applies. */
export function planAccessRules(request: RuleRequest): PlannedRules {
  const { closes, exempt, mirrors, unassignedReads = 'allow' } = request;
  const parts = UNASSIGNED_PARTS.filter(({ exposure }) => closes.includes(exposure));
  const left = parts.length === 1 ? UNASSIGNED_PARTS.filter((part) => !parts.includes(part)) : [];
  const unplaced: Exposure[] = [];
  const ioctls = new Set<RefusedIoctl>();
  const place = (exposures: readonly RuledExposure[]): AccessRule[] =>
    exposures
      .filter((exposure) => closes.includes(exposure))
      .flatMap((exposure) => {
        const placed = rulesFor(exposure, request);
        if (placed === undefined) {
          unplaced.push(exposure);
          return [];
        }
        for (const ioctl of placed.ioctls) ioctls.add(ioctl);
        return placed.rules;
      });

  const reads = parts.length > 0 ? unassignedReads : 'allow';
  // What stays open to writes stays open to reads, too.
  const leftDirections: readonly Direction[] = reads === 'block' ? ['read', 'write'] : ['write'];
  const areas = place(AREAS);
  const registers = place(REGISTERS);
  const leftInMirrors = closes.includes('config-mirror-in-bar') ? exemptInMirrors(exempt, mirrors) : [];
  return {
    rules: {
      unassigned: { read: reads, write: parts.length > 0 ? 'block' : 'allow' },
      rules: [
        ...left.map(({ range }) => ({ ...allow('cfg', range), directions: leftDirections })),
        ...areas,
        ...exempt.map((range) => allow('cfg', range)),
        ...registers,
        ...leftInMirrors,
      ],
      ioctls: [...ioctls],
    },
    unplaced,
  };
}

function rulesFor(
  exposure: RuledExposure,
  { layout, closes, mirrors }: RuleRequest,
): ExposureRules | undefined {
  if (exposure === 'config-mirror-in-bar') return mirrorRules(mirrors);
  if (!layout) {
    // The kernel's own map holds hidden capabilities for unassigned, so the guard needs no place for them.
    const byMap = exposure === 'hidden-capability' && closes.includes('unassigned-extended');
    return byMap ? { rules: [], ioctls: [] } : undefined;
  }
  switch (exposure) {
    case 'hidden-capability':
      return hiddenRules(layout);
    case 'vendor-capability':
      return vendorRules(layout);
    case 'power-management':
      return powerManagementRules(layout);
    case 'aer-registers':
      return aerRules(layout);
    case 'vpd-write':
      return vpdRules(layout);
    case 'reset':
      return resetRules(layout);
  }
}

/** A driver that needs a register may reach it through the window (NVIDIA's interrupt acknowledgement at 0x704). */
function exemptInMirrors(exempt: readonly ByteRange[], mirrors: readonly MirrorWindow[]): AccessRule[] {
  return mirrors.flatMap(({ bar, offset, size }) =>
    exempt
      .filter(({ from }) => from < size)
      .map(({ from, to }) =>
        allow(`bar${bar}` as AccessRule['region'], {
          from: offset + from,
          to: offset + Math.min(to, size - 1),
        }),
      ),
  );
}

function allow(region: AccessRule['region'], { from, to }: ByteRange): AccessRule {
  return { region, from, to, directions: ['read', 'write'], effect: 'allow' };
}
