import type { DomainDocument } from '../domain-document.js';
import { removeElement, setAttribute } from '../insertion.js';
import { i440fxCounterpart } from '../machine.js';
import { attribute, childNamed, childrenNamed, descend } from '../xml-reader.js';
import type { DocumentEdit } from './document-edit.js';

/**
 * Turns a q35 guest into an i440fx one: the machine type of the same version, no PCI Express controllers, and no PCI
 * addresses, since those of q35 do not exist there; libvirt gives new ones. Whether the guest can do without q35 is
 * asked before (`reasonsToStayQ35`).
 */
export function convertToI440fx(document: DomainDocument): DocumentEdit[] {
  const { text, root, machine } = document;
  const type = descend(root, 'os', 'type')!;
  const counterpart = i440fxCounterpart(machine.type ?? 'q35');
  const edits: DocumentEdit[] = [
    {
      kind: 'set-machine',
      target: 'machine',
      summary: `machine type ${machine.type ?? 'q35'} becomes ${counterpart}`,
      splices: [setAttribute(text, type, 'machine', counterpart)],
    },
  ];
  for (const device of childrenNamed(root, 'devices').flatMap((devices) => devices.children)) {
    const isPciController = device.name === 'controller' && attribute(device, 'type') === 'pci';
    const model = attribute(device, 'model');
    if (isPciController && model === 'pcie-root') {
      edits.push({
        kind: 'change-controller',
        target: 'controller pci 0',
        summary: 'the root bus becomes a conventional one',
        splices: [setAttribute(text, device, 'model', 'pci-root')],
      });
      continue;
    }
    if (isPciController) {
      edits.push({
        kind: 'change-controller',
        target: `controller pci ${attribute(device, 'index') ?? '(no index)'}`,
        summary: `${model ?? 'PCI controller'} is removed`,
        splices: [removeElement(text, device)],
      });
      continue;
    }
    const address = childNamed(device, 'address');
    if (address && attribute(address, 'type') === 'pci') {
      edits.push({
        kind: 'remove-address',
        target: device.name,
        summary: `the PCI address of ${device.name} is left to libvirt`,
        splices: [removeElement(text, address)],
      });
    }
  }
  return edits;
}
