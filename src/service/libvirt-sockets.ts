import type { Settings } from '../config/settings.js';
import { upstreamSocket } from './upstream-socket.js';

/** Where libvirt's daemons listen. */
export interface LibvirtSockets {
  domains: string;
  /** Of the daemon for networks, where that is another one. */
  networks?: string;
}

/** @throws LocatedError where libvirt's place is taken by the proxy and libvirt is nowhere */
export function libvirtSockets(settings: Settings): LibvirtSockets {
  const { libvirtSocket, networkSocket, proxySocket, proxyReadOnlySocket } = settings;
  const domains = upstreamSocket(libvirtSocket, [proxySocket, proxyReadOnlySocket]);
  return networkSocket === undefined ? { domains } : { domains, networks: networkSocket };
}
