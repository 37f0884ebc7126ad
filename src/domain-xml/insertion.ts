import type { Splice } from './splice.js';
import type { XmlElement } from './xml-reader.js';

/**
 * Text to insert into a document, one entry a line, nested lines indented by two spaces: the insertion adopts the
 * document's own indentation and line ends.
 */
export type Lines = readonly string[];

/** Escapes a value for an attribute in single or double quotes. */
export function escapeAttribute(value: string): string {
  // Nearly every value: a test is much cheaper than five passes.
  if (!/[&<'"\n\r\t]/.test(value)) return value;
  return value
    .replaceAll('&', '&amp;')
    .replaceAll('<', '&lt;')
    .replaceAll("'", '&apos;')
    .replaceAll('"', '&quot;')
    .replace(/[\n\r\t]/g, (character) => `&#${character.charCodeAt(0)};`);
}

/** Inserts before an element, on lines of its own where the element stands on a line of its own. */
export function insertBefore(text: string, element: XmlElement, lines: Lines): Splice {
  const gap = whitespaceBefore(text, element.start);
  return { start: element.start, end: element.start, text: joinWithGap(lines, gap) + gap };
}

/** Inserts as the last child; an empty-element tag (`<devices/>`) is opened for it. */
export function appendChild(text: string, parent: XmlElement, lines: Lines): Splice {
  if (parent.selfClosing) {
    const gap = whitespaceBefore(text, parent.start);
    const inner = gap === '' ? '' : gap + indentUnit(text, parent);
    // Not by a regular expression: one would take quadratic time on a tag full of white space.
    const tag = `${text.slice(parent.start, parent.end - 2).trimEnd()}>`;
    return {
      start: parent.start,
      end: parent.end,
      text: `${tag}${inner}${joinWithGap(lines, inner)}${gap}</${parent.name}>`,
    };
  }
  const last = parent.children.at(-1);
  if (last) {
    const gap = whitespaceBefore(text, last.start);
    return { start: last.end, end: last.end, text: gap + joinWithGap(lines, gap) };
  }
  const gap = whitespaceBefore(text, parent.start);
  const inner = gap === '' ? '' : gap + indentUnit(text, parent);
  const trailing = whitespaceBefore(text, parent.contentEnd);
  return {
    start: parent.contentEnd - trailing.length,
    end: parent.contentEnd,
    text: inner + joinWithGap(lines, inner) + (trailing || gap),
  };
}

/** Removes an element and the white space that set it apart from what stands before it. */
export function removeElement(text: string, element: XmlElement): Splice {
  return { start: element.start - whitespaceBefore(text, element.start).length, end: element.end, text: '' };
}

export function replaceElement(element: XmlElement, replacement: string): Splice {
  return { start: element.start, end: element.end, text: replacement };
}

/** Sets an attribute's value, keeping its quotes and place; an absent attribute is added after the last one. */
export function setAttribute(text: string, element: XmlElement, name: string, value: string): Splice {
  const present = element.attributes.get(name);
  if (present) return { start: present.valueStart, end: present.valueEnd, text: escapeAttribute(value) };
  const last = [...element.attributes.values()].at(-1);
  const at = last ? last.valueEnd + 1 : element.start + 1 + element.name.length;
  const quote = last ? text[last.valueEnd]! : "'";
  return { start: at, end: at, text: ` ${name}=${quote}${escapeAttribute(value)}${quote}` };
}

/** The line break and indentation before an offset, or nothing where other text stands on the same line. */
function whitespaceBefore(text: string, offset: number): string {
  return /(?:\r?\n)[ \t]*$/.exec(text.slice(Math.max(0, offset - 400), offset))?.[0] ?? '';
}

/** One step of the document's indentation, seen where an element stands on its own line below its parent. */
function indentUnit(text: string, near: XmlElement): string {
  for (let at: XmlElement | undefined = near; at?.parent; at = at.parent) {
    const outer = whitespaceBefore(text, at.parent.start).replace(/\r?\n/, '');
    const inner = whitespaceBefore(text, at.start).replace(/\r?\n/, '');
    if (inner.length > outer.length && inner.startsWith(outer)) return inner.slice(outer.length);
  }
  return '  ';
}

function joinWithGap(lines: Lines, gap: string): string {
  // Without line breaks around it the insertion stays on one line, too.
  return gap === '' ? lines.map((line) => line.trimStart()).join('') : lines.join(gap);
}
