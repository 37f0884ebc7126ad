import type { DocumentEdit } from '../../src/domain-xml/rewrite/document-edit.js';
import { findMetadata } from '../../src/domain-xml/metadata.js';
import { filterElements } from './filter-elements.js';
import { attribute, childNamed, readXml, type XmlElement } from '../../src/domain-xml/xml-reader.js';

type Edited = Pick<DocumentEdit, 'kind' | 'target'>;

/**
 * What differs between two documents beyond the intended edits; undefined where nothing does. Knows nothing of splices: it
 * walks both trees side by side and compares the text of everything that no edit may touch.
 */
export function unintendedChange(
  before: string,
  after: string,
  edits: readonly Edited[],
): string | undefined {
  const converted = edits.some(({ kind }) => kind === 'set-machine');
  const added = new Set(edits.filter(({ kind }) => kind === 'add-controller').map(({ target }) => target));
  const balloonAdded = edits.some(({ kind }) => kind === 'add-device');
  const addressed = edits.some(({ kind }) => kind === 'set-address');

  const filtered = edits.some(({ kind }) => kind === 'set-filter');

  const kept = (element: XmlElement): XmlElement[] =>
    element.children.filter((child) => {
      if (filtered && (ours.has(child) || ours.has(element))) return false;
      if (child === findMetadata(rootOf(child))) return false;
      if (child.name === 'metadata' && child.children.every((inner) => inner === findMetadata(rootOf(child))))
        return false;
      if (child.name === 'controller' && attribute(child, 'type') === 'pci') {
        if (converted) return false;
        return !added.has(`controller pci ${attribute(child, 'index')}`);
      }
      // Only a domain without a balloon gets one written out.
      if (child.name === 'memballoon' && balloonAdded) return false;
      const isGuestAddress = child.name === 'address' && element.parent?.name === 'devices';
      if (isGuestAddress && addressed && isEditedDevice(element)) return false;
      return !(isGuestAddress && converted && attribute(child, 'type') === 'pci');
    });
  // Any device may be pinned to its place, but only with an address that it did not have: see addressesKept.
  const isEditedDevice = (device: XmlElement) =>
    ['hostdev', 'interface'].includes(device.name) || !childNamed(counterpartOf(device), 'address');

  const beforeRoot = readXml(before);
  const afterRoot = readXml(after);
  const ours = new Set([...filterElements(beforeRoot), ...filterElements(afterRoot)]);
  const counterparts = new Map<XmlElement, XmlElement>();
  const counterpartOf = (element: XmlElement) => counterparts.get(element) ?? element;

  const compare = (a: XmlElement, b: XmlElement, path: string): string | undefined => {
    counterparts.set(b, a);
    if (a.name !== b.name) return `${path}: <${a.name}> became <${b.name}>`;
    const isMachine = converted && a.name === 'type' && a.parent?.name === 'os';
    if (!isMachine && startTag(before, a) !== startTag(after, b)) {
      return `${path}: ${startTag(before, a)} became ${startTag(after, b)}`;
    }
    if (a.text.trim() !== b.text.trim()) return `${path}: text changed`;
    const left = kept(a);
    const right = kept(b);
    if (left.length !== right.length) return `${path}: ${left.length} children became ${right.length}`;
    for (const [index, child] of left.entries()) {
      const found = compare(child, right[index]!, `${path}/${child.name}[${index}]`);
      if (found !== undefined) return found;
    }
    return undefined;
  };
  return compare(beforeRoot, afterRoot, beforeRoot.name);
}

/** A start tag as it was written; an empty-element tag that was opened for a child counts as the same. */
function startTag(text: string, element: XmlElement): string {
  return text.slice(element.start, element.startTagEnd).replace(/\s*\/?>$/, '>');
}

function rootOf(element: XmlElement): XmlElement {
  let root = element;
  while (root.parent) root = root.parent;
  return root;
}
