import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { applySplices, invertSplices, type Splice } from './splice.js';

describe('splices', () => {
  it('replaces, inserts and removes in one pass', () => {
    const splices = [
      { start: 0, end: 1, text: 'A' },
      { start: 2, end: 2, text: '-' },
      { start: 3, end: 5, text: '' },
    ];
    expect(applySplices('abcdef', splices)).toBe('Ab-cf');
  });

  it('keeps the order of insertions at one place', () => {
    const at = { start: 1, end: 1 };
    expect(
      applySplices('ab', [
        { ...at, text: '1' },
        { ...at, text: '2' },
      ]),
    ).toBe('a12b');
  });

  it('refuses overlapping splices instead of damaging the text', () => {
    expect(() =>
      applySplices('abcdef', [
        { start: 0, end: 3, text: '' },
        { start: 2, end: 4, text: '' },
      ]),
    ).toThrow(/overlap/);
  });

  it('can always be taken back', () => {
    const splices = fc
      .array(fc.tuple(fc.nat(8), fc.nat(4), fc.string({ maxLength: 5 })), { maxLength: 8 })
      .map((gaps) => {
        let at = 0;
        return gaps.map(([gap, length, text]): Splice => {
          const start = at + gap;
          at = start + length;
          return { start, end: at, text };
        });
      });
    fc.assert(
      fc.property(fc.string({ minLength: 100, maxLength: 120 }), splices, (text, made) => {
        const edited = applySplices(text, made);
        expect(applySplices(edited, invertSplices(text, made))).toBe(text);
      }),
    );
  });
});
