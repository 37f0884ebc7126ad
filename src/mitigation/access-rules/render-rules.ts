import { MAP } from '../../pci/config-space/capability-tables.js';
import type { ConfigSpaceLayout } from '../../pci/config-space/layout.js';
import { runsOf } from '../../pci/config-space/map-categories.js';
import { LocatedError } from '../../located-error.js';
import type { Bdf } from '../../pci/bdf.js';
import type { AccessRule, AccessRules, Direction } from './access-rules.js';

/** The text form, as the guard and QEMU's property take it. What `parseRules` reads back is the same rules. */
export function renderRules({ unassigned, rules, ioctls }: AccessRules): string {
  const base =
    unassigned.read === unassigned.write
      ? [`unassigned:rw:${unassigned.write}`]
      : [`unassigned:w:${unassigned.write}`, `unassigned:r:${unassigned.read}`];
  return [...base, ...rules.map(renderRule), ...ioctls.map((name) => `ioctl:${name}:block`)].join(';');
}

function renderRule({ region, from, to, directions, effect, when }: AccessRule): string {
  const range = from === to ? hex(from) : `${hex(from)}-${hex(to)}`;
  const condition = when ? `:${hex(when.mask, 2)}=${hex(when.value, 2)}` : '';
  return `${region}:${range}:${renderDirections(directions)}:${effect}${condition}`;
}

function renderDirections(directions: readonly Direction[]): string {
  return `${directions.includes('read') ? 'r' : ''}${directions.includes('write') ? 'w' : ''}`;
}

function hex(value: number, digits = 1): string {
  return value.toString(16).padStart(digits, '0');
}

/**
 * The text form for a library in QEMU, which cannot see the kernel's map: unassigned bytes are listed as ranges.
 *
 * @throws LocatedError where the layout is not known in full
 */
export function renderPreloadRules(
  rules: AccessRules,
  layout: ConfigSpaceLayout | undefined,
  bdf: Bdf,
): string {
  if (!layout?.complete) {
    throw new LocatedError(
      'the unassigned bytes of its config space are not known, and a library in QEMU cannot ask the kernel',
      bdf,
      'Read the inventory as root.',
    );
  }
  const blocked = (['read', 'write'] as const).filter((name) => rules.unassigned[name] === 'block');
  const ranges = blocked.length > 0 ? unassignedRanges(layout) : [];
  return renderRules({
    unassigned: { read: 'allow', write: 'allow' },
    rules: [
      ...ranges.map(({ start, length }): AccessRule => {
        const to = start + length - 1;
        return { region: 'cfg', from: start, to, directions: blocked, effect: 'block' };
      }),
      ...rules.rules,
    ],
    ioctls: rules.ioctls,
  });
}

function unassignedRanges(layout: ConfigSpaceLayout) {
  const unassigned = Array.from(layout.kernelMap, (id) => id === MAP.UNASSIGNED);
  return runsOf(unassigned).filter(({ value }) => value);
}
