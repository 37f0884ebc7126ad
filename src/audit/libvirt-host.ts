import { access } from 'node:fs/promises';
import { ERROR_CODE, LibvirtError } from '../libvirt/rpc/libvirt-error.js';
import { LibvirtClient } from '../libvirt/rpc/libvirt-client.js';
import type { DomainRef } from '../libvirt/rpc/types.js';
import { LocatedError } from '../located-error.js';
import { readHostdevNetwork } from '../libvirt/hostdev-network.js';
import type { SeenDomain, Sighting, Unseen } from './seen-domain.js';

/** The monolithic daemon's read-only socket, or the QEMU daemon's of a modular libvirt. */
const READ_ONLY_SOCKETS = ['/run/libvirt/libvirt-sock-ro', '/run/libvirt/virtqemud-sock-ro'];

/** `VIR_DOMAIN_XML_INACTIVE` */
const INACTIVE = 2;

/**
 * Reads the domains and networks of a libvirt through its read-only socket, which Debian opens to every user. What cannot
 * be read, or is gone meanwhile, is named.
 *
 * @throws LocatedError where libvirt cannot be asked at all
 */
export async function readLibvirtHost(socket?: string): Promise<Sighting> {
  const path = socket ?? (await firstPresent(READ_ONLY_SOCKETS));
  const client = await connect(path);
  try {
    const unseen: Unseen[] = [];
    const networks = await readHostdevNetworks(client, path, unseen);
    const listed = await client.listDomains();
    const domains = await Promise.all(listed.map((domain) => readDomainOf(client, domain, unseen)));
    return {
      origin: path,
      domains: domains.filter((domain) => domain !== undefined).toSorted(byName),
      hostdevNetworks: networks,
      unseen,
    };
  } finally {
    await client.close();
  }
}

async function firstPresent(paths: readonly string[]): Promise<string> {
  for (const path of paths) {
    const present = await access(path).then(
      () => true,
      () => false,
    );
    if (present) return path;
  }
  return paths[0]!;
}

async function connect(path: string): Promise<LibvirtClient> {
  try {
    return await LibvirtClient.connect({ path, readOnly: true, keepalive: false });
  } catch (error) {
    throw new LocatedError(
      `libvirt cannot be asked: ${reasonOf(error)}`,
      path,
      'Start libvirt, name its socket with --socket, or audit files with --xml DIR.',
    );
  }
}

/** Undefined where the domain is gone since it was listed, which is no fault. */
async function readDomainOf(
  client: LibvirtClient,
  domain: DomainRef,
  unseen: Unseen[],
): Promise<SeenDomain | undefined> {
  try {
    const [running, persistent] = await Promise.all([client.isActive(domain), client.isPersistent(domain)]);
    const [live, next] = await Promise.all([
      running ? client.domainXml(domain) : undefined,
      persistent ? client.domainXml(domain, INACTIVE) : undefined,
    ]);
    return {
      name: domain.name,
      running,
      ...(live !== undefined && { live }),
      ...(next !== undefined && { next }),
    };
  } catch (error) {
    if (error instanceof LibvirtError && error.code === ERROR_CODE.noDomain) return undefined;
    unseen.push({ what: `domain ${domain.name}`, problem: reasonOf(error) });
    return undefined;
  }
}

/** A modular libvirt has a daemon of its own for networks, beside that for QEMU. */
async function readHostdevNetworks(qemu: LibvirtClient, path: string, unseen: Unseen[]): Promise<string[]> {
  const separate = path.includes('virtqemud-sock');
  let client = qemu;
  try {
    if (separate) {
      const socket = path.replace(/virtqemud-sock/, 'virtnetworkd-sock');
      client = await LibvirtClient.connect({
        path: socket,
        uri: 'network:///system',
        readOnly: true,
        keepalive: false,
      });
    }
    const networks = await client.listNetworks();
    const documents = await Promise.all(networks.map((network) => client.networkXml(network)));
    return documents.map(readHostdevNetwork).filter((name) => name !== undefined);
  } catch (error) {
    unseen.push({ what: 'networks that hand out host functions', problem: reasonOf(error) });
    return [];
  } finally {
    if (client !== qemu) await client.close();
  }
}

function byName(a: SeenDomain, b: SeenDomain): number {
  return a.name < b.name ? -1 : a.name > b.name ? 1 : 0;
}

function reasonOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
