import { ERROR_CODE, LibvirtError } from '../libvirt/rpc/libvirt-error.js';
import type { LibvirtClient } from '../libvirt/rpc/libvirt-client.js';
import type { DomainRef } from '../libvirt/rpc/types.js';
import type { EditedDomain } from './undo-plan.js';

/** `VIR_DOMAIN_XML_SECURE | VIR_DOMAIN_XML_INACTIVE`: defined again without its secrets, a domain would lose them. */
const INACTIVE_WITH_SECRETS = 3;

/** Every domain of a libvirt, in the order of their names; needs a connection that may write. */
export async function readEditedDomains(client: LibvirtClient): Promise<EditedDomain[]> {
  const listed = await client.listDomains();
  const domains = await Promise.all(listed.map((domain) => readEditedDomain(client, domain)));
  return domains
    .filter((domain) => domain !== undefined)
    .toSorted((a, b) => (a.name < b.name ? -1 : a.name > b.name ? 1 : 0));
}

/** Undefined where it is gone since it was listed. */
async function readEditedDomain(client: LibvirtClient, domain: DomainRef): Promise<EditedDomain | undefined> {
  try {
    const [running, persistent] = await Promise.all([client.isActive(domain), client.isPersistent(domain)]);
    const { name, uuid } = domain;
    // A domain that is gone once it stops has no document of a next start, and no saved memory.
    if (!persistent) return { name, uuid, running, managedSave: false };
    const [managedSave, xml] = await Promise.all([
      client.hasManagedSave(domain),
      client.domainXml(domain, INACTIVE_WITH_SECRETS),
    ]);
    return { name, uuid, running, managedSave, xml };
  } catch (error) {
    if (error instanceof LibvirtError && error.code === ERROR_CODE.noDomain) return undefined;
    throw error;
  }
}
