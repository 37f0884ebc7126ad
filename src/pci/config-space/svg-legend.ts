import { capabilitiesByOffset } from './layout-questions.js';
import type { ConfigSpaceLayout } from './layout.js';
import { CATEGORIES, categoryOf, countBy, hexOffset, hexRange, type Category } from './map-categories.js';
import { mapEnd } from './svg-grid.js';
import { escapeXml, FILLS, MONOSPACE, REACHES } from './svg-style.js';

const LINE = 17;
/** A malformed chain can be long; the picture is not. */
export const MAX_LISTED = 27;

/** The legend: colours with their bytes, hatches, and the capabilities by number. @returns lines of SVG, and its height */
export function legendPanel(layout: ConfigSpaceLayout): { lines: string[]; height: number } {
  const lines: string[] = [];
  let y = -LINE;
  const heading = (text: string) => {
    y += 27;
    lines.push(`<text y="${y}" font-size="13" font-weight="600">${text}</text>`);
    y += 5;
  };
  const entry = (box: string, text: string, offsets = '') => {
    y += LINE;
    const place = offsets && `<text x="28" y="${y}" ${MONOSPACE}>${offsets}</text>`;
    const label = `<text x="${offsets ? 120 : 28}" y="${y}">${escapeXml(text)}</text>`;
    lines.push(`<g transform="translate(0 ${y - 11})">${box}</g>${place}${label}`);
  };

  heading('Colour: who owns the byte');
  const counts = countBy(layout.owner.map(categoryOf));
  for (const category of Object.keys(CATEGORIES) as Category[]) {
    const count = counts.get(category);
    if (count === undefined) continue;
    entry(swatch(FILLS[category]), `${CATEGORIES[category]}, ${count.toLocaleString('en-US')} bytes`);
  }
  if (mapEnd(layout) > layout.size) entry(swatch('#ffffff', 'unknown'), 'not known');

  heading('Hatch: what a guest\u2019s write reaches');
  for (const [reach, { legend }] of Object.entries(REACHES)) entry(swatch('#ffffff', reach), legend);
  entry(swatch('#ffffff'), 'plain: nothing reaches hardware');

  const capabilities = capabilitiesByOffset(layout);
  if (capabilities.length > 0) heading('Capabilities, by offset');
  for (const [index, capability] of capabilities.slice(0, MAX_LISTED).entries()) {
    const { start, length, name } = capability;
    const fill = FILLS['anchor' in capability ? 'hidden' : categoryOf({ kind: 'capability', capability })];
    const number = `<text x="10" y="10" font-size="10" font-weight="700" text-anchor="middle">${index + 1}</text>`;
    entry(
      swatch(fill) + number,
      'anchor' in capability ? `${name} (hidden)` : name,
      length === undefined ? `${hexOffset(start)}-?` : hexRange(start, length),
    );
  }
  const more = capabilities.length - MAX_LISTED;
  if (more > 0) entry('', `and ${more} more`);
  return { lines, height: y };
}

function swatch(fill: string, pattern?: string): string {
  const size = 'width="20" height="13"';
  const over = pattern === undefined ? '' : `<rect ${size} fill="url(#${pattern})"/>`;
  return `<rect ${size} fill="${fill}"/>${over}<rect ${size} fill="none" stroke="#1d2430" stroke-width="0.8"/>`;
}
