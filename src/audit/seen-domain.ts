/** A domain as libvirt or a directory of files shows it. */
export interface SeenDomain {
  name: string;
  /** The file it was read from; absent for a domain of a libvirt. */
  file?: string;
  /** Unknown for a file. */
  running?: boolean;
  /** The document of the running domain: addresses given, functions of networks chosen. */
  live?: string;
  /** The document that the next start gets; absent for a domain that is gone once it stops. */
  next?: string;
}

/** Something that could not be read; the rest was read all the same. */
export interface Unseen {
  /** A file, a domain, or libvirt's networks. */
  what: string;
  problem: string;
}

/** All that an audit starts from. */
export interface Sighting {
  /** Where the domains were seen: a socket, a directory. */
  origin: string;
  domains: SeenDomain[];
  /** Networks with `<forward mode='hostdev'>`. */
  hostdevNetworks: string[];
  unseen: Unseen[];
}
