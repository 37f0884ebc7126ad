import { LocatedError } from '../../src/located-error.js';
import { readXml, type XmlElement } from '../../src/domain-xml/xml-reader.js';

/** A source of numbers that is the same for the same seed. */
export class Random {
  constructor(private state: number) {}

  /** 0 to `limit` - 1 (mulberry32). */
  below(limit: number): number {
    this.state = (this.state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(this.state ^ (this.state >>> 15), this.state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * limit);
  }

  pick<T>(from: readonly T[]): T {
    return from[this.below(from.length)]!;
  }
}

/** What parsers have stumbled over: markup out of place, characters XML forbids or folds, entities, declarations. */
const FRAGMENTS = [
  '<', '>', '&', '"', "'", '/>', '</', '<!--', '-->', '--', '<![CDATA[', ']]>', '<?', '?>', '<!', '=', ' ',
  '&amp;', '&lt;', '&#0;', '&#1;', '&#13;', '&#x10ffff;', '&#x110000;', '&#xd800;', '&nothing;', '&#;', '&#x;',
  '\0', '\x01', '\x7f', '\x85', '\u2028', '\ufeff', '\ufffe', '\uffff', '\ud800', '\udc00', '😀', '\r', '\r\n', '\t',
  '<?xml version="1.0"?>', '<?xml-stylesheet href="a"?>', '<?XML a?>', '<?p:i?>', '<?p?>',
  '<!DOCTYPE domain>', '<!DOCTYPE d [<!ENTITY a "b">]>', '<!ELEMENT a ANY>',
  'xmlns=""', ' xmlns="urn:a"', ' xmlns:x="urn:a"', ' xmlns:x=""', ' xmlns:xml="urn:a"', ' xmlns:xmlns="urn:a"',
  ' xml:space="preserve"', ' xml:id="a"', ' xml:lang=""', '<x:a/>', '<a:b:c/>', '<:a/>', '<a:/>', '<1/>', '<é/>', '<a.b-c/>',
]; // prettier-ignore

const VALUES = [
  '', '0', '1', '-1', '0x0', '0x', '00', '08', '0xff', '256', '65535', '65536', '4294967295', '4294967296',
  '18446744073709551616', '9'.repeat(400), '1e9', '0x1f', '31', '32', 'NaN', '+1', ' 1', '1 ', 'x'.repeat(2000),
  'pci', 'usb', 'hostdev', 'subsystem', 'unassigned', 'network', 'nvme', 'mdev', 'q35', 'pc-q35-7.2', 'pc', 'none',
  'pcie-root', 'pci-root', 'pcie-root-port', 'pcie-to-pci-bridge', 'dmi-to-pci-bridge', 'pci-bridge', 'virtio',
  'yes', 'on', 'off', '__proto__', 'constructor', 'toString', '&#10;', '&lt;&amp;&quot;', '%s%n', '../../etc',
  '-device', 'vfio-pci,host=65:00.0', 'vfio-pci,host=', '-readconfig', '{&quot;driver&quot;:&quot;vfio-pci&quot;}',
]; // prettier-ignore

const NAMES = [
  'domain', 'devices', 'hostdev', 'source', 'address', 'interface', 'controller', 'disk', 'metadata', 'os', 'type',
  'name', 'memballoon', 'video', 'iommu', 'backingStore', 'alias', 'x:hostdev', 'qemu:commandline', '__proto__',
]; // prettier-ignore

const ENCODINGS = ['UTF-8', 'utf8', 'US-ASCII', 'UTF-16', 'ISO-8859-1', 'UTF-7', 'EBCDIC-CP-US', '', 'x'];

type Mutation = (text: string, random: Random) => string;

const BYTES: readonly Mutation[] = [
  function flip(text, random) {
    const at = random.below(text.length);
    const flipped = String.fromCharCode(text.charCodeAt(at) ^ (1 << random.below(8)));
    return replace(text, at, at + 1, flipped);
  },
  function cut(text, random) {
    const at = random.below(text.length);
    return replace(text, at, at + 1 + random.below(random.pick([1, 8, 200])), '');
  },
  function repeat(text, random) {
    const at = random.below(text.length);
    const part = text.slice(at, at + 1 + random.below(100));
    return replace(text, at, at, part.repeat(1 + random.below(4)));
  },
  function insert(text, random) {
    const at = random.below(text.length + 1);
    return replace(text, at, at, random.pick(FRAGMENTS));
  },
  function truncate(text, random) {
    return text.slice(0, random.below(text.length));
  },
];

const TOKENS: readonly Mutation[] = [
  function dropTag(text, random) {
    const [start, end] = anyTag(text, random);
    return replace(text, start, end, '');
  },
  function repeatTag(text, random) {
    const [start, end] = anyTag(text, random);
    return replace(text, end, end, text.slice(start, end));
  },
  function swapTags(text, random) {
    const [a, b] = [anyTag(text, random), anyTag(text, random)].toSorted(([x], [y]) => x - y) as [
      Range,
      Range,
    ];
    if (a[1] > b[0]) return text;
    return `${text.slice(0, a[0])}${text.slice(...b)}${text.slice(a[1], b[0])}${text.slice(...a)}${text.slice(b[1])}`;
  },
  function insertInTag(text, random) {
    const [, end] = anyTag(text, random);
    const at = text[end - 2] === '/' ? end - 2 : end - 1;
    return replace(text, at, at, random.pick([...FRAGMENTS, ` type='pci'`, ` a='1' a='2'`, '\n\t ']));
  },
  function declare(text, random) {
    const version = random.pick(['1.0', '1.0', '1.0', '1.1', '2.0']);
    const standalone = random.pick(['', " standalone='yes'", " standalone='maybe'"]);
    return `<?xml version='${version}' encoding='${random.pick(ENCODINGS)}'${standalone}?>${text}`;
  },
  function lineEnds(text, random) {
    return text.replaceAll('\n', random.pick(['\r\n', '\r', '', '\n\n', '\u0085']));
  },
];

/** These work on elements, so what comes out is most often well-formed still. */
const STRUCTURE: readonly ((text: string, random: Random, elements: XmlElement[]) => string)[] = [
  function dropElement(text, random, elements) {
    const { start, end } = random.pick(elements);
    return replace(text, start, end, '');
  },
  function repeatElement(text, random, elements) {
    const { start, end } = random.pick(elements);
    return replace(text, end, end, text.slice(start, end).repeat(random.pick([1, 1, 2, 40])));
  },
  function moveElement(text, random, elements) {
    const from = random.pick(elements);
    const to = random.pick(elements);
    return replace(text, to.startTagEnd, to.startTagEnd, text.slice(from.start, from.end));
  },
  function nest(text, random, elements) {
    const { start, end, name } = random.pick(elements);
    const depth = random.pick([1, 1, 3, 252, 300]);
    const wrapper = random.pick([name, ...NAMES]);
    return replace(text, start, end, `<${wrapper}>`.repeat(depth) + text.slice(start, end) + `</${wrapper}>`.repeat(depth));
  },
  function hide(text, random, elements) {
    const { start, end } = random.pick(elements);
    const [open, close] = random.pick([['<!--', '-->'], ['<![CDATA[', ']]>'], ['<?pi ', '?>']]) as [string, string];
    return replace(text, start, end, open + text.slice(start, end) + close);
  },
  function rename(text, random, elements) {
    const { start, contentEnd, end, name, selfClosing } = random.pick(elements);
    const other = random.pick(NAMES);
    const closed = selfClosing ? text : replace(text, contentEnd, end, `</${other}>`);
    return replace(closed, start + 1, start + 1 + name.length, other);
  },
  function renamespace(text, random, elements) {
    const { start, name } = random.pick(elements);
    const at = start + 1 + name.length;
    const uri = random.pick(['urn:a', '', 'http://libvirt.org/schemas/domain/qemu/1.0', 'https://vfio-warden.dev/domain/1']);
    return replace(text, at, at, ` xmlns${random.pick(['', ':qemu', ':x', ':warden'])}='${uri}'`);
  },
  function changeValue(text, random, elements) {
    const attribute = anyAttribute(random, elements);
    return attribute ? replace(text, attribute.valueStart, attribute.valueEnd, random.pick(VALUES)) : text;
  },
  function swapValues(text, random, elements) {
    const to = anyAttribute(random, elements);
    const from = anyAttribute(random, elements);
    return to && from
      ? replace(text, to.valueStart, to.valueEnd, text.slice(from.valueStart, from.valueEnd).replaceAll(/['"]/g, ''))
      : text;
  },
  function dropAttribute(text, random, elements) {
    const attribute = anyAttribute(random, elements);
    if (!attribute) return text;
    return replace(text, attribute.valueStart - attribute.name.length - 2, attribute.valueEnd + 1, '');
  },
  function collapse(text, random, elements) {
    const { startTagEnd, end, selfClosing } = random.pick(elements);
    return selfClosing ? text : replace(text, startTagEnd - 1, end, '/>');
  },
  function setText(text, random, elements) {
    const { startTagEnd, contentEnd, selfClosing } = random.pick(elements);
    return selfClosing ? text : replace(text, startTagEnd, contentEnd, random.pick(VALUES));
  },
]; // prettier-ignore

/** Mutates a document one to three times, in its structure more often than in its bytes. */
export function mutate(document: string, random: Random): string {
  let text = document;
  for (let count = 1 + random.below(3); count > 0; count -= 1) {
    const kind = random.below(10);
    const elements = kind < 6 ? elementsOf(text) : [];
    if (elements.length > 0) text = random.pick(STRUCTURE)(text, random, elements);
    else text = random.pick(kind === 9 ? BYTES : TOKENS)(text, random);
  }
  return text;
}

/** All elements of a document, none where it is not well-formed (any more). */
function elementsOf(text: string): XmlElement[] {
  const elements: XmlElement[] = [];
  const collect = (element: XmlElement) => {
    elements.push(element);
    element.children.forEach(collect);
  };
  try {
    collect(readXml(text));
  } catch (error) {
    if (!(error instanceof LocatedError)) throw error;
  }
  return elements;
}

function anyAttribute(random: Random, elements: readonly XmlElement[]) {
  for (let tries = 0; tries < 8; tries += 1) {
    const attributes = [...random.pick(elements).attributes.values()];
    if (attributes.length > 0) return random.pick(attributes);
  }
  return undefined;
}

type Range = [start: number, end: number];

/** From some `<` to the next `>`. */
function anyTag(text: string, random: Random): Range {
  const start = Math.max(0, text.indexOf('<', random.below(text.length)));
  const end = text.indexOf('>', start);
  return [start, end === -1 ? text.length : end + 1];
}

function replace(text: string, start: number, end: number, by: string): string {
  return text.slice(0, start) + by + text.slice(end);
}
