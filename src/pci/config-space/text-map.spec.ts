import { describe, expect, it } from 'vitest';
import {
  buildConfigSpace,
  l1PmSubstates,
  nvmeConfigSpace,
  pciExpress,
  powerManagement,
  vendorSpecificExtended,
} from './config-space-builder.js';
import { layoutOf } from './layout.js';
import { textMap } from './text-map.js';

const title = '0000:65:00.0';

describe('textMap', () => {
  // PM 0x40-0x47, PCI Express 0x48-0x7b; VSEC 0x100-0x10f, L1 PM Substates (hidden) 0x110-0x11f.
  const small = buildConfigSpace({
    standard: [powerManagement(), pciExpress()],
    extended: [vendorSpecificExtended(16), l1PmSubstates()],
  });
  const lines = textMap(layoutOf(small), { title }).split('\n');
  const lineOf = (start: string) => lines.find((line) => line.startsWith(start));

  it('draws 256 bytes a line, four a sign, with the worst of the four', () => {
    const [header, pm, express] = ['.+.+............', '.+', '..+.......+..'];
    expect(lineOf('0x000  ')).toBe(`0x000  ${header}${pm}${express}${'#'.repeat(33)}`);
    expect(lineOf('0x100  ')).toBe(`0x100  vvvvhhhh${'#'.repeat(56)}`);
    expect(lineOf('0xf00  ')).toBe(`0xf00  ${'#'.repeat(64)}`);
  });

  it('names the owner of each run of bytes and how writes to it fare', () => {
    expect(lineOf('0x040-')).toMatch(/^0x040-0x047 +8 +Power Management +2 raw, 2 partly, 4 dropped$/);
    expect(lineOf('0x100-')).toMatch(/^0x100-0x10f +16 +Vendor-Specific \(VSEC\) +raw$/);
    expect(lineOf('0x110-')).toMatch(/^0x110-0x11f +16 +hidden capability: L1 PM Substates +raw$/);
    expect(lineOf('0x120-')).toMatch(/^0x120-0xfff +3808 +unassigned +raw$/);
  });

  it('says what it does not know instead of drawing it as unassigned', () => {
    const map = textMap(layoutOf(nvmeConfigSpace().subarray(0, 64), { configSize: 4096 }), { title });
    expect(map).toContain('only the first 64 of 4096 bytes are known');
    expect(map).toContain(`0xf00  ${'?'.repeat(64)}`);
    expect(map).not.toContain('unassigned');
  });

  it('draws nothing where a conventional device has no config space', () => {
    const map = textMap(layoutOf(small.subarray(0, 256), { configSize: 256 }), { title });
    expect(map).not.toContain('0x100');
    expect(map).not.toContain('?');
  });

  it('lists what is malformed', () => {
    const loop = buildConfigSpace({ standard: [powerManagement(0x40)] });
    loop[0x41] = 0x40;
    expect(textMap(layoutOf(loop), { title })).toContain('Not as the specification wants it:\n  0x040  ');
  });

  it('keeps a hostile title from steering the terminal', () => {
    const map = textMap(layoutOf(small), { title: 'a\u001b[2J\u202eb\n' });
    expect(map.split('\n')[0]).toBe(
      'a\ufffd[2J\ufffdb\ufffd: config space as vfio shows it to a guest, 4096 bytes',
    );
  });
});
