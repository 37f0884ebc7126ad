import 'reflect-metadata';
import { Type } from 'class-transformer';
import { ArrayMaxSize, IsArray, IsIn, IsOptional, Matches, ValidateNested } from 'class-validator';
import * as fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { LocatedErrors } from '../located-error.js';
import { readDocument } from './validated-document.js';

class Owner {
  @Matches(/^[a-z]+$/, { context: { remedy: 'Write lower-case letters.' } })
  name!: string;
}

class Item {
  @Matches(/^[0-9a-f]{4}$/, { context: { remedy: 'Write 4 digits.' } })
  id!: string;
}

class Sheet {
  @IsIn(['Sheet'])
  kind!: string;

  @IsOptional()
  @ValidateNested()
  @Type(() => Owner)
  owner?: Owner;

  @IsArray({ context: { remedy: 'Write a list of items.' } })
  @ArrayMaxSize(3, { context: { remedy: 'Write at most 3 items.' } })
  @ValidateNested({ each: true, context: { remedy: 'Write an item with its fields.' } })
  @Type(() => Item)
  items!: Item[];
}

const read = (text: string) => readDocument({ file: 'sheet.yaml', text }, Sheet);
const messages = (text: string) => read(text).problems.map(({ message }) => message);

describe('a document that is right', () => {
  it('becomes an instance of its class', () => {
    const { value, problems } = read('kind: Sheet\nowner: { name: ada }\nitems:\n  - id: "10de"\n');
    expect(problems).toEqual([]);
    expect(value).toBeInstanceOf(Sheet);
    expect(value?.items[0]).toBeInstanceOf(Item);
  });

  it('keeps ids that YAML would take for numbers', () => {
    expect(read('kind: Sheet\nitems: [{ id: 0108 }, { id: 19e5 }]').value?.items).toEqual([
      { id: '0108' },
      { id: '19e5' },
    ]);
  });

  it('tells where its fields stand', () => {
    const { placeOf } = read('kind: Sheet\nitems:\n  - id: abcd\n');
    expect(placeOf(['items', '0', 'id'])).toBe('sheet.yaml:3:9');
    expect(placeOf(['items', '0', 'id'], 'key')).toBe('sheet.yaml:3:5');
  });
});

describe('a document that is wrong', () => {
  it('names file, line, column, field and remedy of everything at once', () => {
    expect(messages('kind: Shet\nitems:\n  - id: xyz\n  - { id: abcd, size: 3 }\n')).toEqual([
      expect.stringMatching(/^sheet\.yaml:1:7: kind has a value that is not accepted: Shet\. /),
      'sheet.yaml:3:9: items[0].id has a value that is not accepted: xyz. Write 4 digits.',
      'sheet.yaml:4:17: items[1].size is no field known here. Correct its spelling, or remove it.',
    ]);
  });

  it('asks for a list where there is none, not for a shorter one', () => {
    expect(messages('kind: Sheet')).toEqual(['sheet.yaml:1:1: items is missing. Write a list of items.']);
    expect(messages('kind: Sheet\nitems: a')).toContainEqual(
      expect.stringContaining('Write a list of items.'),
    );
  });

  it.each([
    ['a list within a list', 'kind: Sheet\nitems: [[{ id: abcd }]]'],
    ['an empty list within a list', 'kind: Sheet\nitems: [[]]'],
    ['a list instead of one object', 'kind: Sheet\nowner: [{ name: ada }]\nitems: []'],
    ['an empty list instead of one object', 'kind: Sheet\nowner: []\nitems: []'],
    ['an empty item', 'kind: Sheet\nitems:\n  -\n'],
    ['an empty field', 'kind: Sheet\nowner:\nitems: []'],
    ['a doubled field', 'kind: Sheet\nkind: Sheet\nitems: []'],
    ['an alias', 'kind: &k Sheet\nowner: { name: *k }\nitems: []'],
    ['a merge', 'kind: Sheet\nitems: []\n<<: { owner: { name: ada } }'],
    ['a field of every object', 'kind: Sheet\nitems: []\ntoString: x'],
    ['the prototype', 'kind: Sheet\nitems: []\n__proto__: { owner: x }'],
    ['a second document', 'kind: Sheet\nitems: []\n---\nkind: Sheet'],
    ['a list as the document', '- kind: Sheet'],
    ['no document', ''],
    ['a tag', 'kind: !!js/function Sheet\nitems: []'],
  ])('refuses %s', (_, text) => {
    const { value, problems } = read(text);
    expect(value).toBeUndefined();
    expect(problems.map(({ place }) => place)).toContainEqual(expect.stringMatching(/^sheet\.yaml:\d+:\d+$/));
  });

  it('shows no control characters of it: they would reach a terminal', () => {
    const told = [
      ...messages('kind: "\\e[2J"\nitems: []'),
      ...messages('"\\e[2J": x\nkind: Sheet\nitems: []'),
    ];
    expect(told.length).toBeGreaterThan(1);
    expect(told.join('')).not.toMatch(/\p{Cc}/u);
  });
});

describe('a document made to exhaust', () => {
  const fields = Array.from({ length: 90_000 }, (_, index) => `k${index}: a`).join('\n');

  it.each([
    ['brackets', `kind: ${'['.repeat(100_000)}`, 'nested deeper'],
    [
      'indents',
      Array.from({ length: 1000 }, (_, depth) => `${' '.repeat(depth)}a:`).join('\n'),
      'nested deeper',
    ],
    ['fields', fields, 'more than 64 fields'],
    ['items', `kind: Sheet\nitems:\n${'- a\n'.repeat(250_000)}`, 'more than 5000 items'],
  ])('is refused for its %s in one message', (_, text, problem) => {
    expect(messages(text)).toEqual([expect.stringContaining(problem)]);
  });

  it('is answered with a message of bounded length', () => {
    const text = `kind: Sheet\nitems:\n${'- { id: wrong }\n'.repeat(5000)}`;
    const { problems } = read(text);
    expect(problems.length).toBeLessThanOrEqual(100);
    expect(new LocatedErrors(problems).message.length).toBeLessThan(20_000);
  });

  it('never throws, whatever is in it', () => {
    const fragment = fc.constantFrom(
      'kind: Sheet\n',
      'items:\n',
      '- ',
      '  ',
      'id: abcd\n',
      '[',
      '{',
      '}',
      ',',
      '*a',
      '&a ',
      '!!x ',
      '? ',
      ': ',
      '"',
      "'",
      '|\n',
      '---\n',
      '\0',
      '\u{1F600}',
      '\t',
    );
    fc.assert(
      fc.property(fc.array(fc.oneof(fragment, fc.string()), { maxLength: 12 }), (parts) => {
        const { value, problems } = read(parts.join(''));
        expect(value === undefined).toBe(problems.length > 0);
      }),
      { numRuns: 500 },
    );
  });
});
