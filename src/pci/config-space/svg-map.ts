import type { ConfigSpaceLayout } from './layout.js';
import {
  CATEGORIES,
  categoryOf,
  coarseReach,
  countBy,
  hexOffset,
  hexRange,
  inventoryOf,
  printable,
  reservation,
  runsOf,
  type Category,
  type Reach,
} from './map-categories.js';
import { cellCentre, GRID, runOutline } from './svg-grid.js';

const MARGIN = 28;
const GRID_LEFT = 84;
const GRID_TOP = 96;
const LIST_LEFT = GRID_LEFT + GRID.size + 32;
const WIDTH = LIST_LEFT + 400;
const LINE = 17;
/** Rows of the list at the side; a hostile device can have a thousand capabilities. */
const MAX_LISTED = 32;

/** Told apart by lightness and pattern too, not by hue alone (after Okabe and Ito). */
const FILL: Record<Category, string> = {
  header: '#c9d3df',
  standard: '#85c1ee',
  extended: '#6fcfa9',
  placeholder: '#a7a3b5',
  vendor: '#f2ae3d',
  hidden: '#d092c8',
  unassigned: '#fae0d6',
};
const PATTERN: Record<Reach, string | undefined> = { raw: 'reach-raw', some: 'reach-some', none: undefined };
const REACH_MEANING: Record<Reach, string> = {
  raw: 'reaches hardware raw',
  some: 'reaches it in part, or the kernel acts on it',
  none: 'stops in the kernel',
};

const DEFINITIONS = `<defs>
<pattern id="reach-raw" width="4.5" height="4.5" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">
<path d="M0 0V4.5" stroke="#a3260b" stroke-width="1.7" stroke-opacity="0.7"/>
</pattern>
<pattern id="reach-some" width="4.5" height="4.5" patternUnits="userSpaceOnUse">
<circle cx="2.25" cy="2.25" r="1.05" fill="#3b1a10"/>
</pattern>
<pattern id="cells" x="${GRID_LEFT}" y="${GRID_TOP}" width="${GRID.cell}" height="${GRID.cell}" patternUnits="userSpaceOnUse">
<path d="M0 0H${GRID.cell}M0 0V${GRID.cell}" stroke="#ffffff" stroke-opacity="0.55" fill="none"/>
</pattern>
</defs>
<style>
text { font-family: Inter, "Segoe UI", "DejaVu Sans", sans-serif; font-size: 12px; fill: #1d2733; }
.mono { font-family: "DejaVu Sans Mono", Menlo, monospace; font-size: 11px; }
.quiet { fill: #5b6875; }
.number { font-size: 8.5px; font-weight: 700; text-anchor: middle; stroke: #ffffff; stroke-width: 2.4px; stroke-linejoin: round; paint-order: stroke; }
.outline { fill: none; stroke: #1d2733; stroke-width: 1.1; }
</style>`;

function escape(text: string): string {
  const entities: Record<string, string> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
  return printable(text).replace(/[&<>"]/g, (character) => entities[character]!);
}

function label(x: number, y: number, content: string, attributes = ''): string {
  return `<text x="${x}" y="${y}"${attributes}>${escape(content)}</text>`;
}

const grouped = (count: number) => String(count).replace(/\B(?=(\d{3})+$)/g, ',');

function fills(categories: readonly Category[]): string[] {
  return runsOf(categories).map(
    ({ start, length, value }) => `<path d="${outline(start, length)}" fill="${FILL[value]}"/>`,
  );
}

function hatches(reaches: readonly Reach[]): string[] {
  return runsOf(reaches).flatMap(({ start, length, value }) => {
    const pattern = PATTERN[value];
    return pattern ? [`<path d="${outline(start, length)}" fill="url(#${pattern})"/>`] : [];
  });
}

const outline = (start: number, length: number) => runOutline(start, length, GRID_LEFT, GRID_TOP);

/** What config space does not have, or what is not known of it. */
function rest(layout: ConfigSpaceLayout): string[] {
  if (layout.size >= GRID.bytes) return [];
  const parts = [
    `<path d="${outline(layout.size, GRID.bytes - layout.size)}" fill="#ffffff" stroke="#b5bec8" stroke-dasharray="3 3"/>`,
  ];
  const middle = GRID_TOP + ((Math.ceil(layout.size / GRID.columns) + GRID.columns) / 2) * GRID.cell;
  const said = layout.complete ? 'not there: config space ends' : 'not known';
  parts.push(label(GRID_LEFT + GRID.size / 2, middle, said, ' class="quiet" text-anchor="middle"'));
  return parts;
}

function ruler(): string[] {
  const offsets = Array.from({ length: 16 }, (_, row) =>
    label(
      GRID_LEFT - 10,
      GRID_TOP + row * 4 * GRID.cell + 10,
      hexOffset(row * 256),
      ' class="mono" text-anchor="end"',
    ),
  );
  const columns = [0, 16, 32, 48].map((column) =>
    label(
      GRID_LEFT + column * GRID.cell,
      GRID_TOP - 8,
      `+0x${column.toString(16).padStart(2, '0')}`,
      ' class="mono quiet"',
    ),
  );
  const boundary = GRID_TOP + 4 * GRID.cell;
  return [
    ...offsets,
    ...columns,
    label(GRID_LEFT - 10, GRID_TOP + 24, 'legacy', ' class="quiet" text-anchor="end"'),
    label(GRID_LEFT - 10, boundary + 24, 'extended', ' class="quiet" text-anchor="end"'),
    `<path d="M${MARGIN} ${boundary}H${GRID_LEFT + GRID.size}" stroke="#1d2733" stroke-width="1.6"/>`,
  ];
}

/** Outlines and numbers in the grid, and the list at the side that explains the numbers. */
function inventory(layout: ConfigSpaceLayout): { inGrid: string[]; list: string[] } {
  const all = inventoryOf(layout);
  const inGrid: string[] = [];
  const list = [label(LIST_LEFT, GRID_TOP + 10, 'Capabilities', ' font-weight="700"')];
  for (const [index, capability] of all.entries()) {
    const { start, name } = capability;
    const hidden = 'anchor' in capability;
    const length = capability.length ?? (capability.extended ? 4 : 2);
    const seen = Math.min(length, layout.size - start);
    if (seen > 0) {
      const dashes = hidden ? ' stroke-dasharray="2.5 1.8"' : '';
      inGrid.push(`<path class="outline" d="${outline(start, seen)}"${dashes}/>`);
    }
    if (index >= MAX_LISTED) continue;
    if (seen > 0) {
      // Numbers of two digits want two cells.
      const [x, y] = cellCentre(start, Math.min(seen, index < 9 ? 1 : 2), GRID_LEFT, GRID_TOP);
      inGrid.push(label(x, y + 3, String(index + 1), ' class="number"'));
    }
    const y = GRID_TOP + 12 + (index + 1) * LINE;
    const where =
      capability.length === undefined ? `${hexOffset(start)}-?    ` : hexRange(start, capability.length);
    list.push(
      label(LIST_LEFT + 18, y, String(index + 1), ' text-anchor="end" font-weight="700"'),
      label(LIST_LEFT + 28, y, where, ' class="mono"'),
      label(LIST_LEFT + 120, y, hidden ? `${name} (hidden)` : name),
    );
  }
  if (all.length === 0) {
    list.push(
      label(LIST_LEFT, GRID_TOP + 12 + LINE, layout.complete ? 'none' : 'not known', ' class="quiet"'),
    );
  }
  const more = all.length - MAX_LISTED;
  if (more > 0) {
    const y = GRID_TOP + 12 + (MAX_LISTED + 1) * LINE;
    list.push(label(LIST_LEFT + 28, y, `and ${more} more`, ' class="quiet"'));
  }
  return { inGrid, list };
}

function legend(
  top: number,
  categories: ReadonlyMap<Category, number>,
  reaches: ReadonlyMap<Reach, number>,
): string[] {
  const parts = [
    label(GRID_LEFT, top, 'Who owns a byte (one cell)', ' font-weight="700"'),
    label(LIST_LEFT - 96, top, "A guest's write to it", ' font-weight="700"'),
  ];
  const swatch = (x: number, y: number, fill: string) =>
    `<rect x="${x}" y="${y - 11}" width="26" height="14" fill="${fill}" stroke="#1d2733" stroke-width="0.8"/>`;
  const entries = (Object.keys(CATEGORIES) as Category[]).filter((category) => categories.has(category));
  for (const [index, category] of entries.entries()) {
    const x = GRID_LEFT + (index % 2) * 236;
    const y = top + 24 + Math.floor(index / 2) * 22;
    const text = `${CATEGORIES[category]}, ${grouped(categories.get(category)!)}`;
    parts.push(swatch(x, y, FILL[category]), label(x + 34, y, text));
  }
  for (const [index, reach] of (['raw', 'some', 'none'] as const).entries()) {
    const y = top + 24 + index * 22;
    const x = LIST_LEFT - 96;
    parts.push(swatch(x, y, '#ffffff'));
    if (PATTERN[reach]) parts.push(swatch(x, y, `url(#${PATTERN[reach]})`));
    parts.push(label(x + 34, y, `${REACH_MEANING[reach]}, ${grouped(reaches.get(reach) ?? 0)} bytes`));
  }
  return parts;
}

function description(
  layout: ConfigSpaceLayout,
  categories: ReadonlyMap<Category, number>,
  raw: number,
): string {
  const owners = [...categories].map(([category, count]) => `${CATEGORIES[category]} ${count}`).join(', ');
  const names = inventoryOf(layout)
    .slice(0, MAX_LISTED)
    .map(({ name, start }) => `${name} at ${hexOffset(start)}`);
  return (
    `Bytes by owner: ${owners || 'none known'}. A guest's write reaches hardware raw in ${raw} bytes. ` +
    `Capabilities: ${names.join(', ') || 'none'}.`
  );
}

/**
 * A picture of a config space: 64 by 64 cells of one byte, coloured by owner and hatched where a guest's write gets
 * through to hardware. The same layout gives the same text.
 *
 * @returns a stand-alone SVG document
 */
export function svgMap(layout: ConfigSpaceLayout, { title }: { title: string }): string {
  const categoryBytes = layout.owner.map(categoryOf);
  const reachBytes = layout.writeReach.map(coarseReach);
  const categories = countBy(categoryBytes);
  const reaches = countBy(reachBytes);
  const raw = reaches.get('raw') ?? 0;
  const share = layout.size > 0 ? Math.round((raw / layout.size) * 100) : 0;
  const { inGrid, list } = inventory(layout);
  const legendTop = GRID_TOP + GRID.size + 36;
  const height = legendTop + 24 + 4 * 22 + 8;
  const summary = `A guest's write reaches hardware raw in ${grouped(raw)} of ${grouped(layout.size)} bytes (${share} %).`;
  const said = reservation(layout);
  const lines = [
    `<svg xmlns="http://www.w3.org/2000/svg" width="${WIDTH}" height="${height}" viewBox="0 0 ${WIDTH} ${height}" role="img" aria-labelledby="map-title map-desc">`,
    `<title id="map-title">${escape(`Config space of ${title}, as vfio shows it to a guest`)}</title>`,
    `<desc id="map-desc">${escape(description(layout, categories, raw))}</desc>`,
    DEFINITIONS,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    label(
      MARGIN,
      36,
      `Config space of ${title}, as vfio shows it to a guest`,
      ' style="font-size:19px;font-weight:700"',
    ),
    label(MARGIN, 58, said === undefined ? summary : `${summary} But ${said}.`),
    ...rest(layout),
    ...fills(categoryBytes),
    ...hatches(reachBytes),
    `<rect x="${GRID_LEFT}" y="${GRID_TOP}" width="${GRID.size}" height="${GRID.size}" fill="url(#cells)"/>`,
    ...ruler(),
    ...inGrid,
    ...list,
    ...legend(legendTop, categories, reaches),
    '</svg>',
    '',
  ];
  return lines.join('\n');
}
