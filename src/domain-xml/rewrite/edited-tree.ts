import type { DomainDocument } from '../domain-document.js';
import type { XmlElement } from '../xml-reader.js';

/** A change of one device of a document: what the text gets as splices, the address model gets as this. */
export type TreeChange =
  { kind: 'add'; element: XmlElement } | { kind: 'set-address'; device: XmlElement; address: XmlElement };

/**
 * The document's tree with changes, for the address model: what parsing the edited text would give, without parsing it.
 * Untouched elements are shared with the document's own tree, so the result is to be read only.
 */
export function editedTree({ root, devices }: DomainDocument, changes: readonly TreeChange[]): XmlElement {
  const addresses = new Map<XmlElement, XmlElement>();
  const added: XmlElement[] = [];
  for (const change of changes) {
    if (change.kind === 'add') added.push(change.element);
    else addresses.set(change.device, change.address);
  }
  const edited = (device: XmlElement): XmlElement => {
    const address = addresses.get(device);
    if (!address) return device;
    const at = device.children.findIndex(({ name }) => name === 'address');
    return {
      ...device,
      children: at === -1 ? [...device.children, address] : device.children.with(at, address),
    };
  };
  return {
    ...root,
    children: root.children.map((child) =>
      child === devices ? { ...child, children: [...child.children.map(edited), ...added] } : child,
    ),
  };
}
