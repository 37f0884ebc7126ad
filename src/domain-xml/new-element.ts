import { escapeAttribute } from './insertion.js';
import type { XmlElement } from './xml-reader.js';

/** An element that no document has yet: it is shown to the address model as it is, and written by `renderElement`. */
export function newElement(
  name: string,
  attributes: Readonly<Record<string, string>>,
  children: XmlElement[] = [],
): XmlElement {
  return {
    name,
    attributes: new Map(
      Object.entries(attributes).map(([key, value]) => [
        key,
        { name: key, value, valueStart: 0, valueEnd: 0 },
      ]),
    ),
    children,
    parent: undefined,
    text: '',
    start: 0,
    startTagEnd: 0,
    contentEnd: 0,
    end: 0,
    selfClosing: children.length === 0,
  };
}

/** The element's text, a line a tag, nested lines indented by two spaces. */
export function renderElement(element: XmlElement): string[] {
  const attributes = [...element.attributes.values()].map(
    ({ name, value }) => ` ${name}='${escapeAttribute(value)}'`,
  );
  const tag = `<${element.name}${attributes.join('')}`;
  if (element.children.length === 0) return [`${tag}/>`];
  const inner = element.children.flatMap(renderElement).map((line) => `  ${line}`);
  return [`${tag}>`, ...inner, `</${element.name}>`];
}
