import { namespaceOf, localName, attribute, childNamed, type XmlElement } from '../domain-xml/xml-reader.js';
import type { DomainDocument } from '../domain-xml/domain-document.js';
import { readNovaOwner } from '../domain-xml/nova-owner.js';
import type { Bdf } from '../pci/bdf.js';
import type { PciFunction } from '../pci/pci-function.js';
import type { Knowledge } from './policy-terms.js';

/** What selectors may look at of a domain. */
export interface DomainFacts {
  name: string;
  uuid?: string | undefined;
  /** As written. */
  machine?: string | undefined;
  /** Id and name of the OpenStack project, or the Kubernetes namespace. */
  projects?: readonly string[];
  flavor?: string | undefined;
  metadata?: XmlElement | undefined;
}

/** What a rule may look at, whichever domain is given the device. */
export interface DeviceSubject {
  /** Address of the host function, if it is known. */
  source?: Bdf;
  /** The host function; absent where the inventory does not have it. */
  function?: PciFunction;
  /** How exactly the risk database knows it; empty where it knows nothing. */
  knownBy: ReadonlySet<Knowledge>;
}

/** What a rule may look at. */
export interface RuleSubject extends DeviceSubject {
  domain: DomainFacts;
}

/** virt-launcher's own element (`api.KubeVirtMetadata`, namespace of pkg/virt-launcher/virtwrap/api/schema.go). */
const KUBEVIRT_NAMESPACE = 'http://kubevirt.io';

/**
 * Of the document that was asked about last: each of its devices asks. A map with weak keys would keep every document alive
 * until the whole heap is collected, and collections of its young part, which decisions wait for, would take ten times as long.
 */
let latest: { document: DomainDocument; facts: DomainFacts } | undefined;

/** Read once of each document. */
export function domainFacts(document: DomainDocument): DomainFacts {
  if (latest?.document === document) return latest.facts;
  const { projectId, projectName, flavor } = readNovaOwner(document.root);
  const metadata = childNamed(document.root, 'metadata');
  const facts: DomainFacts = {
    name: document.name,
    uuid: document.uuid,
    machine: document.machine.type,
    projects: [projectId, projectName, kubernetesNamespace(document.name, metadata)].filter(
      (project) => project !== undefined,
    ),
    flavor,
    metadata,
  };
  latest = { document, facts };
  return facts;
}

/** KubeVirt names a domain `NAMESPACE_VMI`; names in Kubernetes have no underscore. */
function kubernetesNamespace(name: string, metadata: XmlElement | undefined): string | undefined {
  const own = metadata?.children.find(
    (child) => localName(child) === 'kubevirt' && namespaceOf(child) === KUBEVIRT_NAMESPACE,
  );
  const end = name.indexOf('_');
  return own && end > 0 ? name.slice(0, end) : undefined;
}

/** Texts of the elements below `<metadata>` that a path names, or of their attribute. */
export function metadataValues(
  { metadata }: DomainFacts,
  namespace: string,
  path: string,
  attributeName: string | undefined,
): string[] {
  let found: readonly XmlElement[] = metadata ? [metadata] : [];
  for (const name of path.split('/')) {
    found = found.flatMap(({ children }) =>
      children.filter((child) => localName(child) === name && namespaceOf(child) === namespace),
    );
  }
  return found
    .map((element) => (attributeName === undefined ? element.text.trim() : attribute(element, attributeName)))
    .filter((value) => value !== undefined);
}
