import { describe, expect, it } from 'vitest';
import { appendChild, insertBefore, removeElement, setAttribute } from './insertion.js';
import { applySplices } from './splice.js';
import { readXml } from './xml-reader.js';

const LINES = ["<x a='1'>", '  <y/>', '</x>'];

describe('insertions adopt the style of the document', () => {
  it('its indentation', () => {
    const text = '<a>\n\t<b>\n\t\t<c/>\n\t</b>\n</a>';
    const b = readXml(text).children[0]!;
    expect(applySplices(text, [appendChild(text, b, LINES)])).toBe(
      "<a>\n\t<b>\n\t\t<c/>\n\t\t<x a='1'>\n\t\t  <y/>\n\t\t</x>\n\t</b>\n</a>",
    );
    expect(applySplices(text, [insertBefore(text, b, ['<z/>'])])).toBe(
      '<a>\n\t<z/>\n\t<b>\n\t\t<c/>\n\t</b>\n</a>',
    );
  });

  it('its line ends', () => {
    const text = '<a>\r\n  <b/>\r\n</a>';
    const root = readXml(text);
    expect(applySplices(text, [appendChild(text, root, ['<c/>'])])).toBe('<a>\r\n  <b/>\r\n  <c/>\r\n</a>');
  });

  it('one line, where it is written in one', () => {
    const text = '<a><b/></a>';
    const root = readXml(text);
    expect(applySplices(text, [appendChild(text, root, LINES)])).toBe("<a><b/><x a='1'><y/></x></a>");
  });

  it('an empty element is opened, an element without children is filled', () => {
    const empty = '<a>\n  <b c="d" />\n</a>';
    expect(applySplices(empty, [appendChild(empty, readXml(empty).children[0]!, ['<x/>'])])).toBe(
      '<a>\n  <b c="d">\n    <x/>\n  </b>\n</a>',
    );
    const open = '<a>\n  <b></b>\n</a>';
    expect(applySplices(open, [appendChild(open, readXml(open).children[0]!, ['<x/>'])])).toBe(
      '<a>\n  <b>\n    <x/>\n  </b>\n</a>',
    );
  });

  it('the quotes of an attribute', () => {
    const text = '<a b="1"/>';
    const root = readXml(text);
    expect(applySplices(text, [setAttribute(text, root, 'b', '<"2">')])).toBe('<a b="&lt;&quot;2&quot;>"/>');
    expect(applySplices(text, [setAttribute(text, root, 'c', '3')])).toBe('<a b="1" c="3"/>');
  });

  it('and a removed element leaves no empty line', () => {
    const text = '<a>\n  <b/>\n  <c/>\n</a>';
    expect(applySplices(text, [removeElement(text, readXml(text).children[0]!)])).toBe('<a>\n  <c/>\n</a>');
  });
});
