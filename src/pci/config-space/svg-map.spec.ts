import { SaxesParser } from 'saxes';
import { describe, expect, it } from 'vitest';
import {
  buildConfigSpace,
  gpuConfigSpace,
  nvmeConfigSpace,
  powerManagement,
} from './config-space-builder.js';
import { layoutOf } from './layout.js';
import { svgMap } from './svg-map.js';

const title = '0000:65:00.0';

/** Parses as strict XML; answers the elements with their attributes and text. */
function elementsOf(svg: string) {
  const elements: { name: string; attributes: Record<string, string>; text: string }[] = [];
  const open: typeof elements = [];
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => {
    const element = { name, attributes: { ...attributes } as Record<string, string>, text: '' };
    elements.push(element);
    open.push(element);
  });
  parser.on('text', (text) => {
    const element = open.at(-1);
    if (element) element.text += text;
  });
  parser.on('closetag', () => void open.pop());
  parser.write(svg).close();
  return elements;
}

describe('svgMap', () => {
  const layout = layoutOf(gpuConfigSpace());
  const elements = elementsOf(svgMap(layout, { title }));
  const textOf = (name: string) =>
    elements.filter((element) => element.name === name).map(({ text }) => text);

  it('says in words what it shows', () => {
    const [root] = elements;
    expect(root?.attributes).toMatchObject({ role: 'img', 'aria-labelledby': 'map-title map-desc' });
    expect(textOf('title')[0]).toBe(`Config space of ${title} as vfio shows it to a guest`);
    expect(textOf('desc')[0]).toContain('Vendor-Specific (VSEC) at 0x600');
    expect(textOf('desc')[0]).toContain('Hidden by vfio: 5.');
  });

  it('covers each byte once', () => {
    const covered = elements
      .filter(({ name, attributes }) => name === 'path' && attributes['fill']?.startsWith('#'))
      .flatMap(({ attributes }) => [...attributes['d']!.matchAll(/h(\d+)v(\d+)/g)])
      .reduce((area, [, width, height]) => area + Number(width) * Number(height), 0);
    expect(covered).toBe(4096 * 11 * 11);
  });

  it('hatches exactly the regions whose writes reach hardware', () => {
    const hatched = elements.filter(
      ({ name, attributes }) =>
        name === 'path' && /^url\(#(raw|partly|mediated)\)$/.test(attributes['fill'] ?? ''),
    );
    const reaching = layout.regions.filter(({ write }) => write !== 'dropped' && write !== 'virtualised');
    expect(hatched).toHaveLength(reaching.length);
  });

  it('lists each capability by its number, the hidden ones as such', () => {
    const texts = textOf('text');
    expect(texts).toContain('Power Management');
    expect(texts).toContain('L1 PM Substates (hidden)');
    expect(texts.filter((text) => text === '14')).toHaveLength(2); // in the grid and in the legend
  });

  it('marks what is not known instead of drawing it as unassigned', () => {
    const svg = svgMap(layoutOf(nvmeConfigSpace().subarray(0, 64), { configSize: 4096 }), { title });
    expect(svg).toContain('Only the first 64 of 4096 bytes are known');
    expect(svg).toContain('fill="url(#unknown)"');
    expect(svg).not.toContain('unassigned, ');
  });

  it('is small for a conventional device', () => {
    const layout = layoutOf(buildConfigSpace({ standard: [powerManagement()], size: 256 }));
    const svg = svgMap(layout, { title });
    expect(svg).not.toContain('>0x100<');
    expect(svg).not.toContain('not known');
  });

  it.each([
    ['empty', new Uint8Array(0)],
    ['all-ones', new Uint8Array(4096).fill(0xff)],
    [
      'a chain of a thousand',
      new Uint8Array(4096).map((_, at) => [1, 0, (at * 16) & 0xff, (at + 4) >> 4][at % 4]!),
    ],
  ])('is XML for a malformed space too: %s', (_, bytes) => {
    const svg = svgMap(layoutOf(bytes), { title });
    expect(() => elementsOf(svg)).not.toThrow();
    expect(svg.length).toBeLessThan(2_000_000);
  });

  it('keeps a hostile title from being markup', () => {
    const svg = svgMap(layout, { title: '<script>"&\u0000\ud800' });
    expect(elementsOf(svg).map(({ name }) => name)).not.toContain('script');
    expect(svg).toContain('&lt;script&gt;&quot;&amp;\ufffd\ufffd');
  });

  it('gives the same picture for the same bytes', () => {
    expect(svgMap(layoutOf(gpuConfigSpace()), { title })).toBe(svgMap(layout, { title }));
  });
});
