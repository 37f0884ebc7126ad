import { Connection } from './connection.js';
import { EventFeed, type Unsubscribe } from './event-feed.js';
import { DOMAIN_EVENTS, NETWORK_EVENTS, type DomainEvent, type NetworkEvent } from './events.js';
import type { KeepaliveSettings } from './keepalive.js';
import { openSession } from './session.js';
import { PROCEDURE, type DomainState } from './procedures.js';
import type { DomainRef, NetworkRef } from './types.js';

export type { DomainEvent, NetworkEvent } from './events.js';
export type { DomainState } from './procedures.js';
export type { DomainRef, NetworkRef } from './types.js';

/** As libvirt's own clients have it. */
const DEFAULT_KEEPALIVE: KeepaliveSettings = { intervalMs: 5_000, count: 5 };

/** Starting a domain may take long: QEMU pins all of a guest's memory for an assigned device first. */
const DEFAULT_CALL_TIMEOUT_MS = 120_000;

/**
 * libvirtd reads no further once it has `max_client_requests` calls of a client, 5 by default, and then leaves keepalives
 * unanswered as well. One less keeps it reading.
 */
const MAX_CALLS_IN_FLIGHT = 4;

export interface LibvirtClientOptions {
  /** Of libvirt's unix socket, such as `/run/libvirt/libvirt-sock`. */
  path: string;
  /** Which driver of the daemon; `qemu:///system` by default. */
  uri?: string;
  /** Has libvirt refuse whatever would change something. */
  readOnly?: boolean;
  /** For each call, from being made to being answered; 120,000 by default. */
  callTimeoutMs?: number;
  /** Every 5 s, five times, by default; false for none. Questions of the other side are always answered. */
  keepalive?: KeepaliveSettings | false;
  /** Ends the connection, also one that is being made. */
  signal?: AbortSignal;
}

/**
 * A connection to libvirt. Every method rejects with LibvirtError where libvirt refuses, CallTimeout where it does not
 * answer, ConnectionLost where the connection is gone, and ProtocolError where an argument cannot be sent or an answer
 * cannot be read. `flags` are those of the libvirt function of the same meaning.
 */
export class LibvirtClient {
  private constructor(
    private readonly connection: Connection,
    private readonly domainEvents: EventFeed<DomainEvent>,
    private readonly networkEvents: EventFeed<NetworkEvent>,
  ) {}

  /** @throws the system's error where nothing listens on the path; else as every method */
  static async connect(options: LibvirtClientOptions): Promise<LibvirtClient> {
    const {
      path,
      uri = 'qemu:///system',
      readOnly = false,
      callTimeoutMs = DEFAULT_CALL_TIMEOUT_MS,
      keepalive = DEFAULT_KEEPALIVE,
    } = options;
    const domainEvents = new EventFeed(DOMAIN_EVENTS, PROCEDURE.registerDomainEvent);
    const networkEvents = new EventFeed(NETWORK_EVENTS, PROCEDURE.registerNetworkEvent);
    const limits = { timeoutMs: callTimeoutMs, maxInFlight: MAX_CALLS_IN_FLIGHT };
    const connection = await Connection.open({ path, signal: options.signal }, limits, (message, payload) => {
      domainEvents.take(message, payload);
      networkEvents.take(message, payload);
    });
    await openSession(connection, { uri, readOnly, keepalive });
    return new LibvirtClient(connection, domainEvents, networkEvents);
  }

  /** Resolves when the connection has ended: with the reason, or undefined after `close`. */
  get closed(): Promise<Error | undefined> {
    return this.connection.closed;
  }

  /** Hangs up, which is all that libvirt needs to hear; calls without an answer are rejected. */
  async close(): Promise<void> {
    this.connection.close();
    await this.connection.closed;
  }

  /** 1,000,000 x major + 1,000 x minor + release */
  libVersion(): Promise<number> {
    return this.connection.call(PROCEDURE.libVersion);
  }

  /** Of the hypervisor, counted like `libVersion`. */
  hypervisorVersion(): Promise<number> {
    return this.connection.call(PROCEDURE.hypervisorVersion);
  }

  hostname(): Promise<string> {
    return this.connection.call(PROCEDURE.hostname);
  }

  /** @param flags `virConnectListAllDomainsFlags`; 0 is all, running or not */
  listDomains(flags = 0): Promise<DomainRef[]> {
    return this.connection.call(PROCEDURE.listDomains, flags);
  }

  domainByName(name: string): Promise<DomainRef> {
    return this.connection.call(PROCEDURE.domainByName, name);
  }

  domainByUuid(uuid: string): Promise<DomainRef> {
    return this.connection.call(PROCEDURE.domainByUuid, uuid);
  }

  domainById(id: number): Promise<DomainRef> {
    return this.connection.call(PROCEDURE.domainById, id);
  }

  /** @param flags `virDomainXMLFlags` */
  domainXml(domain: DomainRef, flags = 0): Promise<string> {
    return this.connection.call(PROCEDURE.domainXml, domain, flags);
  }

  domainState(domain: DomainRef): Promise<DomainState> {
    return this.connection.call(PROCEDURE.domainState, domain, 0);
  }

  isActive(domain: DomainRef): Promise<boolean> {
    return this.connection.call(PROCEDURE.isActive, domain);
  }

  isPersistent(domain: DomainRef): Promise<boolean> {
    return this.connection.call(PROCEDURE.isPersistent, domain);
  }

  hasManagedSave(domain: DomainRef): Promise<boolean> {
    return this.connection.call(PROCEDURE.hasManagedSave, domain, 0);
  }

  /** @param flags `virDomainDefineFlags` */
  defineDomain(xml: string, flags = 0): Promise<DomainRef> {
    return this.connection.call(PROCEDURE.defineDomain, xml, flags);
  }

  /**
   * Starts a domain that is gone when it stops.
   *
   * @param flags `virDomainCreateFlags`
   */
  createDomain(xml: string, flags = 0): Promise<DomainRef> {
    return this.connection.call(PROCEDURE.createDomain, xml, flags);
  }

  /**
   * Starts a defined domain; the answer has its id.
   *
   * @param flags `virDomainCreateFlags`
   */
  startDomain(domain: DomainRef, flags = 0): Promise<DomainRef> {
    return this.connection.call(PROCEDURE.startDomain, domain, flags);
  }

  /** Asks the guest to shut down; resolves when it was asked. */
  shutDownDomain(domain: DomainRef): Promise<void> {
    return this.connection.call(PROCEDURE.shutDownDomain, domain);
  }

  /** @param flags `virDomainDestroyFlagsValues` */
  destroyDomain(domain: DomainRef, flags = 0): Promise<void> {
    return this.connection.call(PROCEDURE.destroyDomain, domain, flags);
  }

  suspendDomain(domain: DomainRef): Promise<void> {
    return this.connection.call(PROCEDURE.suspendDomain, domain);
  }

  resumeDomain(domain: DomainRef): Promise<void> {
    return this.connection.call(PROCEDURE.resumeDomain, domain);
  }

  /** @param flags `virDomainUndefineFlagsValues` */
  undefineDomain(domain: DomainRef, flags = 0): Promise<void> {
    return this.connection.call(PROCEDURE.undefineDomain, domain, flags);
  }

  /** @param flags `virDomainDeviceModifyFlags` */
  attachDevice(domain: DomainRef, xml: string, flags: number): Promise<void> {
    return this.connection.call(PROCEDURE.attachDevice, domain, xml, flags);
  }

  /** @param flags `virDomainDeviceModifyFlags` */
  detachDevice(domain: DomainRef, xml: string, flags: number): Promise<void> {
    return this.connection.call(PROCEDURE.detachDevice, domain, xml, flags);
  }

  /** @param flags `virDomainDeviceModifyFlags` */
  updateDevice(domain: DomainRef, xml: string, flags: number): Promise<void> {
    return this.connection.call(PROCEDURE.updateDevice, domain, xml, flags);
  }

  /**
   * Sends a command to QEMU's monitor past libvirt, which marks the domain as tainted (`custom-monitor`).
   *
   * @param command QMP, as JSON
   * @returns QEMU's answer, as JSON: `return` or `error`
   */
  monitorCommand(domain: DomainRef, command: string): Promise<string> {
    return this.connection.call(PROCEDURE.monitorCommand, domain, command, 0);
  }

  /** @param flags `virConnectListAllNetworksFlags`; 0 is all, active or not */
  listNetworks(flags = 0): Promise<NetworkRef[]> {
    return this.connection.call(PROCEDURE.listNetworks, flags);
  }

  /** @param flags `virNetworkXMLFlags` */
  networkXml(network: NetworkRef, flags = 0): Promise<string> {
    return this.connection.call(PROCEDURE.networkXml, network, flags);
  }

  /** Tells of every domain what happens from when this resolves; the listener may hear of earlier things, too. */
  onDomainEvent(listener: (event: DomainEvent) => void): Promise<Unsubscribe> {
    return this.domainEvents.subscribe(this.connection, listener);
  }

  /** Tells of every network, as `onDomainEvent` of domains. */
  onNetworkEvent(listener: (event: NetworkEvent) => void): Promise<Unsubscribe> {
    return this.networkEvents.subscribe(this.connection, listener);
  }
}
