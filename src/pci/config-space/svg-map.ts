import { LEGACY_SIZE } from './capability-tables.js';
import { capabilitiesByOffset } from './layout-questions.js';
import type { ConfigSpaceLayout } from './layout.js';
import { categoryOf, CATEGORIES, hexOffset, hexRange, printable, reservation } from './map-categories.js';
import { borderPath, CELL, cellAt, mapEnd, ROW_BYTES, runPath } from './svg-grid.js';
import { legendPanel, MAX_LISTED } from './svg-legend.js';
import { drawnReach, escapeXml, FILLS, MONOSPACE, REACHES, UNKNOWN_PATTERN } from './svg-style.js';

const WIDTH = 1280;
const GRID_X = 84;
const GRID_Y = 96;
const GRID_WIDTH = ROW_BYTES * CELL;
const PANEL_X = GRID_X + GRID_WIDTH + 44;
const BOTTOM = 36;
/** Characters that fit beside the margin. */
const MAX_TITLE = 80;

/**
 * A config space as an SVG picture: a cell for each byte, 64 in a row; the colour says who owns it, the hatch what a
 * guest's write reaches. The same layout gives the same bytes of SVG. It needs nothing from outside the file.
 */
export function svgMap(layout: ConfigSpaceLayout, { title }: { title: string }): string {
  const panel = legendPanel(layout);
  const gridHeight = Math.ceil(mapEnd(layout) / ROW_BYTES) * CELL;
  const height = GRID_Y + Math.max(gridHeight, panel.height) + BOTTOM;
  const clean = printable(title);
  const shown = escapeXml(clean.length > MAX_TITLE ? `${clean.slice(0, MAX_TITLE - 1)}\u2026` : clean);
  const patterns = Object.values(REACHES).map(({ pattern }) => pattern);
  return [
    `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${WIDTH} ${height}" width="${WIDTH}" height="${height}" ` +
      `role="img" aria-labelledby="map-title map-desc" font-size="12" fill="#1d2430" ` +
      `font-family="Inter, 'DejaVu Sans', Helvetica, Arial, sans-serif">`,
    `<title id="map-title">Config space of ${shown} as vfio shows it to a guest</title>`,
    `<desc id="map-desc">${escapeXml(description(layout))}</desc>`,
    `<defs>${patterns.join('')}${UNKNOWN_PATTERN}</defs>`,
    `<rect width="${WIDTH}" height="${height}" fill="#ffffff"/>`,
    `<text x="${GRID_X}" y="38" font-size="21" font-weight="600">${shown}</text>`,
    `<text x="${GRID_X}" y="60" font-size="13" fill="#4a5464">${escapeXml(subtitle(layout))}</text>`,
    `<g transform="translate(${GRID_X} ${GRID_Y})">`,
    ...grid(layout),
    '</g>',
    `<g transform="translate(${PANEL_X} ${GRID_Y})">`,
    ...panel.lines,
    '</g>',
    '</svg>',
    '',
  ].join('\n');
}

function subtitle(layout: ConfigSpaceLayout): string {
  const said = reservation(layout);
  if (said !== undefined) return `${said.charAt(0).toUpperCase()}${said.slice(1)}`;
  return `${layout.size.toLocaleString('en-US')} bytes: ${writes(layout)}`;
}

function writes({ writeReach }: ConfigSpaceLayout): string {
  const raw = writeReach.filter((reach) => reach === 'raw').length;
  const partly = writeReach.filter((reach) => reach === 'partly').length;
  return `a guest's write reaches hardware raw in ${raw.toLocaleString('en-US')}, in part in ${partly} more`;
}

function description(layout: ConfigSpaceLayout): string {
  const places = capabilitiesByOffset(layout)
    .slice(0, MAX_LISTED)
    .map(({ name, start }) => `${name} at ${hexOffset(start)}`);
  return [
    `A map of 64 bytes a row. ${subtitle(layout)}.`,
    ...(layout.complete ? [] : [`Of what is known ${writes(layout)}.`]),
    `Unassigned are ${layout.unassignedBytes('legacy')} bytes below 0x100 and ${layout.unassignedBytes('extended')} above.`,
    `Capabilities: ${places.join(', ') || 'none known'}.`,
    `Hidden by vfio: ${layout.hidden.length}. Anomalies: ${layout.anomalies.length}.`,
  ].join(' ');
}

function grid(layout: ConfigSpaceLayout): string[] {
  const end = mapEnd(layout);
  const { y: bottom } = cellAt(end - 1 + ROW_BYTES);
  return [
    ...regions(layout),
    ...(end > layout.size
      ? [`<path d="${runPath(layout.size, end - layout.size)}" fill="url(#unknown)"/>`]
      : []),
    `<path d="${borderPath(layout.owner)}" fill="none" stroke="#1d2430"/>`,
    `<rect width="${GRID_WIDTH}" height="${bottom}" fill="none" stroke="#1d2430" stroke-width="1.5"/>`,
    ...offsets(end),
    ...parts(end),
    ...numbers(layout),
  ];
}

/** Each with a tip that says what it is. */
function regions(layout: ConfigSpaceLayout): string[] {
  return layout.regions.map(({ start, length, owner, write }) => {
    const category = categoryOf(owner);
    const name = owner.kind === 'capability' ? owner.capability.name : CATEGORIES[category];
    const path = runPath(start, length);
    const reach = drawnReach(write);
    const hatch = reach ? `<path d="${path}" fill="url(#${reach})"/>` : '';
    const tip = `<title>${escapeXml(`${hexRange(start, length)} ${name}: ${write}`)}</title>`;
    return `<g>${tip}<path d="${path}" fill="${FILLS[category]}"/>${hatch}</g>`;
  });
}

/** Offsets at the left, every 256 bytes, and above, every 8. */
function offsets(end: number): string[] {
  const lines = [`<g ${MONOSPACE} text-anchor="end">`];
  for (let at = 0; at < end; at += LEGACY_SIZE) {
    lines.push(`<text x="-8" y="${cellAt(at).y + 9.5}">${hexOffset(at)}</text>`);
  }
  lines.push('</g>', `<g ${MONOSPACE}>`);
  for (let at = 0; at < ROW_BYTES; at += 8) {
    lines.push(`<text x="${cellAt(at).x + 1}" y="-7">+${at.toString(16).padStart(2, '0')}</text>`);
  }
  return [...lines, '</g>'];
}

/** The line at 0x100, where conventional PCI ends. */
function parts(end: number): string[] {
  if (end <= LEGACY_SIZE) return [];
  const { y } = cellAt(LEGACY_SIZE);
  const label = (at: number, text: string) =>
    `<text transform="translate(${GRID_WIDTH + 15} ${at}) rotate(90)" font-size="11" fill="#4a5464">${text}</text>`;
  return [
    `<path d="M-4 ${y}h${GRID_WIDTH + 24}" stroke="#1d2430" stroke-width="2.5"/>`,
    label(2, 'legacy'),
    label(y + 6, 'extended'),
  ];
}

/** The numbers under which the legend lists the capabilities. */
function numbers(layout: ConfigSpaceLayout): string[] {
  const labels = capabilitiesByOffset(layout)
    .slice(0, MAX_LISTED)
    .flatMap(({ start }, index) => {
      const { x, y } = cellAt(start);
      return start < layout.size ? [`<text x="${x + 2.5}" y="${y + 9.3}">${index + 1}</text>`] : [];
    });
  const halo = 'stroke="#ffffff" stroke-width="2.6" stroke-linejoin="round" paint-order="stroke"';
  return [`<g font-size="10" font-weight="700" ${halo}>`, ...labels, '</g>'];
}
