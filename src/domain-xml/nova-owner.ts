import { attribute, childNamed, localName, namespaceOf, type XmlElement } from './xml-reader.js';

/** How Nova names an instance (`nova.virt.libvirt.config.LibvirtConfigGuestMetaNovaInstance`); every field may be missing. */
export interface NovaOwner {
  instanceName?: string;
  projectId?: string;
  projectName?: string;
  userName?: string;
  flavor?: string;
}

const NOVA_NAMESPACE = /^http:\/\/openstack\.org\/xmlns\/libvirt\/nova\/1\.\d$/;
/** Longer names than a control plane gives are cut: they are shown, never looked up. */
const MAX_NAME = 255;

/** Reads what Nova's metadata say of a domain; an empty object for a domain of somebody else. */
export function readNovaOwner(domain: XmlElement): NovaOwner {
  const instance = childNamed(domain, 'metadata')?.children.find(
    (child) => localName(child) === 'instance' && NOVA_NAMESPACE.test(namespaceOf(child)),
  );
  if (!instance) return {};
  const owner = child(instance, 'owner');
  const project = child(owner, 'project');
  const found: NovaOwner = {
    instanceName: text(child(instance, 'name')),
    projectId: cut(attribute(project, 'uuid')),
    projectName: text(project),
    userName: text(child(owner, 'user')),
    flavor: cut(attribute(child(instance, 'flavor'), 'name')),
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

function child(element: XmlElement | undefined, name: string): XmlElement | undefined {
  return element?.children.find((candidate) => localName(candidate) === name);
}

function text(element: XmlElement | undefined): string | undefined {
  return cut(element?.text.trim() || undefined);
}

function cut(value: string | undefined): string | undefined {
  return value?.slice(0, MAX_NAME);
}
