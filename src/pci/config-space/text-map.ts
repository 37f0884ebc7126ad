import type { Owner, ConfigSpaceLayout } from './layout.js';
import {
  CATEGORIES,
  categoryOf,
  coarseReach,
  countBy,
  hexOffset,
  hexRange,
  printable,
  reservation,
  runsOf,
} from './map-categories.js';
import { WRITE_REACHES } from './write-permissions.js';

const BYTES_PER_CELL = 4;
const BYTES_PER_ROW = 256;

/** Signs of a cell, the most harmless first: a cell shows the worst of its bytes. */
const SIGNS = [
  ['.', "a guest's write stops in the kernel"],
  ['+', 'some of it reaches hardware, or the kernel acts on it'],
  ['v', 'vendor capability: raw'],
  ['h', 'hidden capability: raw'],
  ['#', 'unassigned: raw'],
] as const;

function severityOf(layout: ConfigSpaceLayout, at: number): number {
  const reach = coarseReach(layout.writeReach[at]!);
  if (reach === 'none') return 0;
  const category = categoryOf(layout.owner[at]!);
  if (category === 'unassigned') return 4;
  if (category === 'hidden') return 3;
  return category === 'vendor' ? 2 : 1;
}

function cellSign(layout: ConfigSpaceLayout, start: number): string {
  let worst = -1;
  for (let at = start; at < Math.min(start + BYTES_PER_CELL, layout.size); at++) {
    worst = Math.max(worst, severityOf(layout, at));
  }
  if (worst >= 0) return SIGNS[worst]![0];
  return layout.complete ? ' ' : '?';
}

function overview(layout: ConfigSpaceLayout): string[] {
  const end = Math.max(layout.size, layout.configSize ?? 0);
  const rows = Math.max(1, Math.ceil(end / BYTES_PER_ROW));
  const ruler = ['+00', '+40', '+80', '+c0'].map((offset) => offset.padEnd(16)).join('');
  const lines = [`       ${ruler}`.trimEnd()];
  for (let row = 0; row < rows; row++) {
    const start = row * BYTES_PER_ROW;
    const cells = Array.from({ length: BYTES_PER_ROW / BYTES_PER_CELL }, (_, cell) =>
      cellSign(layout, start + cell * BYTES_PER_CELL),
    );
    lines.push(`${hexOffset(start)}  ${cells.join('')}`.trimEnd());
  }
  const used = new Set(lines.slice(1).join(''));
  lines.push('', `One sign is ${BYTES_PER_CELL} bytes and shows the worst of them:`);
  lines.push(...SIGNS.filter(([sign]) => used.has(sign)).map(([sign, meaning]) => `  ${sign}  ${meaning}`));
  if (used.has('?')) lines.push('  ?  not known');
  return lines;
}

function describe(owner: Owner): string {
  const category = CATEGORIES[categoryOf(owner)];
  if (owner.kind === 'capability') return owner.capability.name;
  if (owner.kind === 'header' || !owner.hidden) return category;
  return `${category}: ${owner.hidden.name}`;
}

function describeWrites(layout: ConfigSpaceLayout, start: number, length: number): string {
  const counts = countBy(layout.writeReach.slice(start, start + length));
  const reaches = WRITE_REACHES.filter((reach) => counts.has(reach));
  if (reaches.length === 1) return reaches[0]!;
  return reaches.map((reach) => `${counts.get(reach)} ${reach}`).join(', ');
}

function table(layout: ConfigSpaceLayout): string[] {
  const rows = runsOf(layout.owner).map(({ start, length, value }) => [
    hexRange(start, length),
    String(length).padStart(5),
    describe(value),
    describeWrites(layout, start, length),
  ]);
  rows.unshift(['OFFSETS', 'BYTES', 'OWNER', "A GUEST'S WRITE"]);
  const widths = [0, 1, 2].map((column) => Math.max(...rows.map((row) => row[column]!.length)));
  return rows.map((row) =>
    row
      .map((text, column) => text.padEnd(widths[column] ?? 0))
      .join('  ')
      .trimEnd(),
  );
}

/**
 * A config space for a terminal, in plain text: an overview of 64 signs a line, then who owns which bytes and how a
 * guest's write to them fares.
 *
 * @returns lines joined by newlines, without one at the end
 */
export function textMap(layout: ConfigSpaceLayout, { title }: { title: string }): string {
  const said = reservation(layout);
  const lines = [
    `${printable(title)}: config space as vfio shows it to a guest, ${layout.size} bytes`,
    ...(said === undefined ? [] : [`! ${said}`]),
    '',
    ...overview(layout),
  ];
  if (layout.size > 0) lines.push('', ...table(layout));
  if (layout.anomalies.length > 0) {
    lines.push('', 'Not as the specification wants it:');
    lines.push(...layout.anomalies.map(({ offset, problem }) => `  ${hexOffset(offset)}  ${problem}`));
  }
  return lines.join('\n');
}
