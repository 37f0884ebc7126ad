import { readHostdevNetwork } from './hostdev-network.js';
import type { LibvirtClient } from './rpc/libvirt-client.js';

/** Which libvirt networks hand out host functions: a decision must know, since an interface names only the network. */
export class HostdevNetworks {
  private known: readonly string[] = [];

  /** Sorted names, as of the last reading. */
  get names(): readonly string[] {
    return this.known;
  }

  /** Reads them all again. A network that goes while it is asked for is none. @throws Error where libvirt does not answer */
  async refresh(client: LibvirtClient): Promise<void> {
    const networks = await client.listNetworks();
    const names = await Promise.all(
      networks.map(async (network) => {
        try {
          return readHostdevNetwork(await client.networkXml(network));
        } catch {
          return undefined;
        }
      }),
    );
    this.known = names.filter((name) => name !== undefined).toSorted();
  }
}
