import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TextBlockReader, TextBlockWriter } from './text-blocks.js';

/** Some shorter than a block, some longer, with characters of more than one byte. */
const texts = fc.array(
  fc
    .tuple(fc.string({ unit: 'grapheme', maxLength: 20 }), fc.integer({ min: 0, max: 900 }))
    .map(([text, times]) => text.repeat(times)),
  { maxLength: 40 },
);

describe('texts in compressed blocks', () => {
  it('come back as they were, in whatever order they are asked for', () => {
    fc.assert(
      fc.property(texts, fc.array(fc.nat(), { maxLength: 40 }), (all, order) => {
        const writer = new TextBlockWriter();
        const places = all.map((text) => writer.append(Buffer.from(text)));
        const reader = new TextBlockReader(writer.finish());
        for (const number of order.concat([...all.keys()])) {
          const at = all.length > 0 ? number % all.length : undefined;
          if (at !== undefined) expect(reader.read(...places[at]!)).toBe(all[at]);
        }
      }),
    );
  });

  it('take a fraction of the memory where they say much the same', () => {
    const writer = new TextBlockWriter();
    let total = 0;
    for (let at = 0; at < 1_000; at += 1) {
      const text = `{"id":"fleet-${at}","summary":"Fuzzing the space behind the chain ended the host.","device":"${at}"}`;
      [, total] = writer.append(Buffer.from(text));
    }
    const { compressed, begins } = writer.finish();
    expect(compressed.byteLength + begins.byteLength).toBeLessThan(total / 5);
  });
});
