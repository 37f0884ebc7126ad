import { isUtf8 } from 'node:buffer';
import { SaxesParser } from 'saxes';
import { LocatedError } from '../located-error.js';

/** Libvirt's own limit for a string on the wire (`REMOTE_STRING_MAX`, remote_protocol.x), in bytes of UTF-8. */
export const MAX_DOCUMENT_BYTES = 4 * 1024 * 1024;

/** libxml2's limit without XML_PARSE_HUGE, as measured: libvirt takes 257 levels and refuses 258. */
export const MAX_DEPTH = 257;

/** The largest real domains have some ten thousand; each more takes time from every other caller. */
export const MAX_ELEMENTS = 50_000;

/** An attribute and where its value stands in the text, quotes excluded. */
export interface XmlAttribute {
  name: string;
  /** Entities resolved. */
  value: string;
  valueStart: number;
  valueEnd: number;
}

/**
 * An element with its place in the text: all offsets are UTF-16 code units of the document's string, so that
 * `text.slice(start, end)` is the element as it was written.
 */
export interface XmlElement {
  /** As written, prefix included. */
  name: string;
  attributes: ReadonlyMap<string, XmlAttribute>;
  children: XmlElement[];
  parent: XmlElement | undefined;
  /** Character data directly inside this element, entities and CDATA resolved. */
  text: string;
  /** Offset of `<`. */
  start: number;
  /** Offset after the `>` of the start tag. */
  startTagEnd: number;
  /** Offset of `</`; equal to `end` for an empty-element tag (`<a/>`). */
  contentEnd: number;
  /** Offset after the last `>`. */
  end: number;
  selfClosing: boolean;
}

/** Line and column, both from 1, of an offset; for messages. */
export function placeOf(text: string, offset: number): string {
  return placesIn(text)(offset);
}

/** As `placeOf`, for many offsets of one text: its lines are counted once. */
export function placesIn(text: string): (offset: number) => string {
  const lineStarts = [0];
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) lineStarts.push(at + 1);
  return (offset) => {
    let low = 0;
    let high = lineStarts.length;
    while (high - low > 1) {
      const middle = (low + high) >> 1;
      if (lineStarts[middle]! <= offset) low = middle;
      else high = middle;
    }
    return `line ${low + 1}, column ${offset - lineStarts[low]! + 1}`;
  };
}

/**
 * Reads a document strictly: what libxml2 would refuse as not well-formed is refused here, and so is what would let
 * libvirt see another document than we do: a document type (entities), an encoding other than UTF-8, XML 1.1.
 *
 * @throws LocatedError with line and column
 */
export function readXml(text: string): XmlElement {
  if (Buffer.byteLength(text, 'utf8') > MAX_DOCUMENT_BYTES) refuseTooLarge();
  if (!text.isWellFormed()) {
    throw new LocatedError(
      'half a surrogate pair is no character',
      placeOf(text, /\p{Surrogate}/u.exec(text)!.index),
      'Send a text that can be written as UTF-8.',
    );
  }
  // Seven handlers: with more, V8 keeps the parser's fields in a dictionary, and it takes six times as long.
  const parser = new SaxesParser({ position: true });
  let root: XmlElement | undefined;
  let open: XmlElement | undefined;
  let depth = 0;
  let elements = 0;
  let attributes = new Map<string, XmlAttribute>();
  const none: ReadonlyMap<string, XmlAttribute> = new Map();

  const refuse = (problem: string, remedy: string): never => {
    throw new LocatedError(problem, placeOf(text, Math.max(0, parser.position - 1)), remedy);
  };

  parser.on('error', (error) => {
    // saxes prefixes its own LINE:COLUMN, which counts differently from editors.
    refuse(error.message.replace(/^\d+:\d+: /, '').replace(/\.$/, ''), 'Send a well-formed XML document.');
  });
  parser.on('doctype', () => {
    refuse(
      'a document type declaration is not accepted',
      'Remove <!DOCTYPE ...>; domain XML needs no entities.',
    );
  });
  parser.on('attribute', ({ name, value }) => {
    const valueEnd = parser.position - 1;
    const valueStart = text.lastIndexOf(text[valueEnd]!, valueEnd - 1) + 1;
    attributes.set(name, { name, value, valueStart, valueEnd });
  });
  parser.on('opentag', (tag) => {
    depth += 1;
    elements += 1;
    if (elements > MAX_ELEMENTS) {
      refuse(`the document has more than ${MAX_ELEMENTS} elements`, 'No domain needs so many: name fewer.');
    }
    if (depth > MAX_DEPTH) {
      refuse(
        `elements are nested deeper than ${MAX_DEPTH} levels`,
        'Libvirt refuses this too: nest less deeply.',
      );
    }
    const element: XmlElement = {
      name: tag.name,
      attributes: attributes.size > 0 ? attributes : none,
      children: [],
      parent: open,
      text: '',
      // No tag has a `<` inside: attribute values must escape it.
      start: text.lastIndexOf('<', parser.position - 1),
      startTagEnd: parser.position,
      contentEnd: parser.position,
      end: parser.position,
      selfClosing: tag.isSelfClosing,
    };
    if (attributes.size > 0) attributes = new Map();
    if (open) open.children.push(element);
    else root = element;
    open = element;
  });
  const addText = (chunk: string) => {
    if (open) open.text += chunk;
  };
  parser.on('text', addText);
  parser.on('cdata', addText);
  parser.on('closetag', (tag) => {
    depth -= 1;
    if (!open) return;
    if (!tag.isSelfClosing) {
      open.end = parser.position;
      open.contentEnd = text.lastIndexOf('</', parser.position);
    }
    open = open.parent;
  });

  parser.write(text);
  const { version, encoding } = parser.xmlDecl;
  parser.close();
  if (version !== undefined && version !== '1.0') {
    refuseDeclaration(`XML version ${version} is not supported`, 'Declare version="1.0".');
  }
  if (encoding !== undefined && !/^(utf-?8|us-ascii)$/i.test(encoding)) {
    refuseDeclaration(
      `the declared encoding ${encoding} is not supported`,
      'Send UTF-8 and declare encoding="UTF-8".',
    );
  }
  return root!;
}

function refuseDeclaration(problem: string, remedy: string): never {
  throw new LocatedError(problem, 'line 1, column 1', remedy);
}

/** Decodes bytes from outside; a document that is not UTF-8 is refused, since libvirt and we could read it differently. */
export function decodeXml(bytes: Uint8Array): string {
  if (bytes.length > MAX_DOCUMENT_BYTES) refuseTooLarge();
  if (!isUtf8(bytes)) {
    throw new LocatedError(
      'the document is not valid UTF-8',
      'line 1',
      'Convert it to UTF-8 and send it again.',
    );
  }
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('utf8');
}

function refuseTooLarge(): never {
  throw new LocatedError(
    `the document is larger than ${MAX_DOCUMENT_BYTES} bytes`,
    'line 1, column 1',
    'Libvirt accepts no larger string either: send a smaller document.',
  );
}

/** Children with this name (no prefix): libvirt finds its elements by plain name. */
export function childrenNamed(element: XmlElement | undefined, name: string): XmlElement[] {
  return element ? element.children.filter((child) => child.name === name) : [];
}

/** The first child with this name, which is the one libvirt takes (`virXPathNode`). */
export function childNamed(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((child) => child.name === name);
}

/** Follows a path of child names, taking the first of each. */
export function descend(element: XmlElement | undefined, ...path: string[]): XmlElement | undefined {
  return path.reduce<XmlElement | undefined>((at, name) => childNamed(at, name), element);
}

export function attribute(element: XmlElement | undefined, name: string): string | undefined {
  return element?.attributes.get(name)?.value;
}

/** An element's name without its prefix. */
export function localName(element: XmlElement): string {
  return element.name.slice(element.name.indexOf(':') + 1);
}

/**
 * The namespace that an element's name is bound to; empty where there is none. A prefix that nothing binds is no error:
 * libxml2 takes the whole for a name then, and libvirt ignores the element.
 */
export function namespaceOf(element: XmlElement): string {
  const colon = element.name.indexOf(':');
  const declaration = colon === -1 ? 'xmlns' : `xmlns:${element.name.slice(0, colon)}`;
  // Found by walking up, and only where it is asked for: few elements are in any namespace of interest.
  for (let at: XmlElement | undefined = element; at; at = at.parent) {
    const bound = at.attributes.get(declaration);
    if (bound) return bound.value;
  }
  return '';
}
