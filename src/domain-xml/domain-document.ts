import { detached } from '../detached.js';
import { LocatedError } from '../located-error.js';
import { findAssignedDevices, type AssignedDevice } from './assigned-devices.js';
import { readMachine, type Machine } from './machine.js';
import { childNamed, placeOf, readXml, type XmlElement } from './xml-reader.js';

/**
 * A libvirt domain as text with an index into it. The text is never regenerated: an edit is a splice of it, so what no
 * decision touched stays as it was, byte for byte.
 */
export interface DomainDocument {
  readonly text: string;
  readonly root: XmlElement;
  readonly name: string;
  readonly uuid: string | undefined;
  readonly machine: Machine;
  readonly devices: XmlElement | undefined;
  readonly assignedDevices: readonly AssignedDevice[];
}

/**
 * Reads a `<domain>` document.
 *
 * @throws LocatedError where it is malformed, too large, or no domain
 */
export function readDomain(text: string): DomainDocument {
  const root = readXml(text);
  if (root.name !== 'domain') {
    throw new LocatedError(
      `the root element is <${root.name.slice(0, 60)}>, not <domain>`,
      placeOf(text, root.start),
      'Send a libvirt domain, as `virsh dumpxml DOMAIN` prints it.',
    );
  }
  const uuid = childNamed(root, 'uuid')?.text;
  return {
    text,
    root,
    name: detached(childNamed(root, 'name')?.text ?? ''),
    uuid: uuid === undefined ? undefined : detached(uuid.trim()),
    machine: readMachine(root),
    devices: childNamed(root, 'devices'),
    assignedDevices: findAssignedDevices(root, text),
  };
}
