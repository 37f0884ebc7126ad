/** How libvirt writes device elements that stand for an assigned device. */
const DEVICES = /<hostdev mode='subsystem' type='(pci|mdev)'|<interface type='hostdev'| type='nvme'/;

/** What raw QEMU arguments and properties have that stand for one, or may read one from a file. */
const ARGUMENTS = /vfio|nvme:\/\/|driver=nvme|&quot;nvme&quot;|='--?(readconfig|set)|name='(host|sysfsdev)'/;

/**
 * Whether a domain may have assigned devices, by its text as libvirt writes it: for a document that could not be judged.
 * A domain with raw QEMU arguments may be taken for one that has; never the reverse. `hooks/qemu` goes by the same words
 * where it gets no answer.
 */
export function mayAssign(xml: string): boolean {
  return DEVICES.test(xml) || (xml.includes('<qemu:') && ARGUMENTS.test(xml));
}
