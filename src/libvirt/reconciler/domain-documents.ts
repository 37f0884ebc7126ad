import type { JudgedDomain } from '../../policy/effect/policy-effect.js';
import type { DomainRegistry } from '../domain-registry.js';
import { ERROR_CODE, LibvirtError } from '../rpc/libvirt-error.js';
import type { LibvirtClient } from '../rpc/libvirt-client.js';

/** `VIR_CONNECT_LIST_DOMAINS_PERSISTENT` */
export const LIST_PERSISTENT = 4;

/** `VIR_DOMAIN_XML_INACTIVE` */
const XML_INACTIVE = 2;

/**
 * Every domain as its next start finds it, with what is known of its past.
 *
 * @throws Error where the connection is lost meanwhile
 */
export async function domainDocuments(
  client: LibvirtClient,
  registry: DomainRegistry,
): Promise<JudgedDomain[]> {
  const documents: JudgedDomain[] = [];
  const persistent = new Set((await client.listDomains(LIST_PERSISTENT)).map(({ uuid }) => uuid));
  for (const domain of await client.listDomains()) {
    const { name, uuid } = domain;
    try {
      const xml = await client.domainXml(domain, persistent.has(uuid) ? XML_INACTIVE : 0);
      const { state, ranRestricted } = registry.pastOf(uuid, name);
      documents.push({ name, uuid, xml, domainState: state, ranRestricted });
    } catch (error) {
      if (!isGone(error)) throw error;
    }
  }
  return documents;
}

/** Whether libvirt has said that there is no such domain (any more). */
export function isGone(error: unknown): boolean {
  return error instanceof LibvirtError && error.code === ERROR_CODE.noDomain;
}
