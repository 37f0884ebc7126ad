import { describe, expect, it } from 'vitest';
import { LocatedError } from '../located-error.js';
import {
  attribute,
  decodeXml,
  MAX_DEPTH,
  MAX_ELEMENTS,
  MAX_DOCUMENT_BYTES,
  namespaceOf,
  readXml,
} from './xml-reader.js';

function refusal(text: string): LocatedError {
  try {
    readXml(text);
  } catch (error) {
    if (error instanceof LocatedError) return error;
    throw error;
  }
  throw new Error(`accepted: ${text.slice(0, 60)}`);
}

describe('reading XML', () => {
  it('knows where each element and attribute value stands, whatever the line ends and quotes', () => {
    const text = '\uFEFF<?xml version="1.0"?>\r\n<a>\r\n  <b x = "1"\r\n y=\'&lt;2\' />é😀<c>t</c >\r\n</a>';
    const root = readXml(text);
    const [b, c] = root.children;
    expect(text.slice(root.start, root.end)).toMatch(/^<a>[^]*<\/a>$/);
    expect(text.slice(b!.start, b!.end)).toBe('<b x = "1"\r\n y=\'&lt;2\' />');
    expect(text.slice(c!.start, c!.end)).toBe('<c>t</c >');
    expect(attribute(b, 'y')).toBe('<2');
    const y = b!.attributes.get('y')!;
    expect(text.slice(y.valueStart, y.valueEnd)).toBe('&lt;2');
  });

  it.each([
    ['<a><b></a></b>', /close tag/],
    ['<a x=1/>', /quote/],
    ['<a x="1" x="2"/>', /duplicate attribute/],
    ['<a>', /unclosed tag/],
    ['<a/><b/>', /one root/],
    ['<a b="&foo;"/>', /entity/],
    ['<a>\u0001</a>', /disallowed character/],
  ])('refuses %j as libxml2 does', (text, problem) => {
    expect(refusal(text).problem).toMatch(problem);
    expect(refusal(text).place).toMatch(/^line 1, column \d+$/);
  });

  it('leaves an unbound prefix alone, as libxml2 does: KubeVirt hands over such documents', () => {
    const [bound, unbound] = readXml("<a xmlns:q='urn:q'><q:b/><r:b/></a>").children;
    expect(namespaceOf(bound!)).toBe('urn:q');
    expect(namespaceOf(unbound!)).toBe('');
  });

  it.each([
    ['an entity bomb', '<!DOCTYPE a [<!ENTITY x "xx"><!ENTITY y "&x;&x;">]>\n<a>&y;</a>', /document type/],
    [
      'UTF-7, in which +ADw- is a bracket',
      '<?xml version="1.0" encoding="UTF-7"?><a>+ADw-b/+AD4-</a>',
      /UTF-7/,
    ],
    ['XML 1.1', '<?xml version="1.1"?><a/>', /1\.1/],
  ])('refuses %s: libvirt could see another document than we do', (_, text, problem) => {
    expect(refusal(text).problem).toMatch(problem);
  });

  it('refuses deep nesting without running out of stack', () => {
    expect(() => readXml('<a>'.repeat(MAX_DEPTH) + '</a>'.repeat(MAX_DEPTH))).not.toThrow();
    expect(refusal('<a>'.repeat(1_000_000)).problem).toMatch(/nested deeper/);
  });

  it('refuses more elements than any domain has, which would take time from other callers', () => {
    const many = (count: number) => `<a>${'<b/>'.repeat(count - 1)}</a>`;
    expect(readXml(many(MAX_ELEMENTS)).children).toHaveLength(MAX_ELEMENTS - 1);
    expect(refusal(many(MAX_ELEMENTS + 1)).problem).toMatch(/more than 50000 elements/);
  });

  it('refuses what is larger than libvirt takes', () => {
    expect(refusal(`<a>${' '.repeat(MAX_DOCUMENT_BYTES)}</a>`).problem).toMatch(/larger than/);
    expect(() => decodeXml(new Uint8Array(MAX_DOCUMENT_BYTES + 1))).toThrow(/larger than/);
  });

  it('refuses bytes that are not UTF-8', () => {
    expect(() => decodeXml(Uint8Array.of(0x3c, 0x61, 0xff, 0x2f, 0x3e))).toThrow(/not valid UTF-8/);
  });
});
