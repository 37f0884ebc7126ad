import type { Logger } from 'pino';
import type { Component } from '../api/components.js';
import type { DomainRegistry } from '../libvirt/domain-registry.js';
import type { HostdevNetworks } from '../libvirt/hostdev-networks.js';
import type { Reconciler } from '../libvirt/reconciler/reconciler.js';
import type { LibvirtClient } from '../libvirt/rpc/libvirt-client.js';
import { ReconnectingClient } from '../libvirt/rpc/reconnecting-client.js';
import type { DomainRef } from '../libvirt/rpc/types.js';
import type { DomainRecord } from '../store/records.js';
import type { Store } from '../store/store.js';
import type { LibvirtSockets } from './libvirt-sockets.js';
import type { Part } from './lifecycle.js';

/** Milliseconds from one attempt to read the store's domains to the next. */
const LOAD_RETRY_MS = 2_000;
/** Milliseconds from one look for domains that are long gone to the next. */
const FORGET_MS = 60 * 60 * 1000;
const DAY_MS = 24 * 60 * 60 * 1000;
/** Milliseconds that the proxy waits for a domain's XML before it does what its failure mode says. */
const DOMAIN_XML_MS = 10_000;

export interface LibvirtPartOptions {
  /** Where libvirt listens now; asked at each connection. */
  sockets: () => LibvirtSockets;
  reconciler: Reconciler;
  networks: HostdevNetworks;
  registry: DomainRegistry;
  store: Store;
  /** Name of this node. */
  host: string;
  logger: Logger;
  /** Days that the record of a domain that is gone is kept. */
  keepGoneDays: number;
}

/** The service's own connections to libvirt, and who works with them. */
export class LibvirtPart implements Part {
  readonly name = 'libvirt';
  private client: ReconnectingClient | undefined;
  private networkClient: ReconnectingClient | undefined;
  private loading: NodeJS.Timeout | undefined;
  private forgetting: NodeJS.Timeout | undefined;
  private lastError = 'it was not reached yet';

  constructor(private readonly options: LibvirtPartOptions) {}

  get connected(): boolean {
    return this.client?.current() !== undefined;
  }

  get component(): Component {
    return {
      name: 'libvirt',
      critical: true,
      status: () =>
        this.connected
          ? { state: 'up', detail: 'connected' }
          : { state: 'down', detail: `not connected: ${this.lastError}` },
    };
  }

  async start(): Promise<void> {
    await this.loadDomains();
    this.forgetting = setInterval(() => this.forgetGone(), FORGET_MS).unref();
    const { sockets } = this.options;
    const separateNetworks = sockets().networks !== undefined;
    this.client = new ReconnectingClient(
      // A getter, since a takeover moves libvirt's socket while we run.
      {
        get path() {
          return sockets().domains;
        },
      },
      {
        onConnected: (client) => void this.takeConnection(client, !separateNetworks),
        onDisconnected: (error) => this.lose(error),
      },
    );
    if (!separateNetworks) return;
    this.networkClient = new ReconnectingClient(
      {
        get path() {
          return sockets().networks!;
        },
        uri: 'network:///system',
      },
      {
        onConnected: (client) => void this.followNetworks(client),
        onDisconnected: ({ message }) =>
          this.options.logger.warn(`libvirt's networks are not known: ${message}`),
      },
    );
  }

  async stop(): Promise<void> {
    clearTimeout(this.loading);
    clearInterval(this.forgetting);
    this.options.reconciler.disconnected();
    await Promise.all([this.client?.stop(), this.networkClient?.stop()]);
  }

  /** @throws Error while there is no connection, and where libvirt does not answer in time */
  async domainXml(domain: DomainRef, flags: number): Promise<string> {
    const client = this.client?.current();
    if (!client) throw new Error(`libvirt is not connected: ${this.lastError}`);
    let timer: NodeJS.Timeout | undefined;
    const timeout = new Promise<never>((_, reject) => {
      timer = setTimeout(
        () => reject(new Error(`libvirt did not say what ${domain.name} is`)),
        DOMAIN_XML_MS,
      );
    });
    try {
      return await Promise.race([client.domainXml(domain, flags), timeout]);
    } finally {
      clearTimeout(timer);
    }
  }

  private async takeConnection(client: LibvirtClient, withNetworks: boolean): Promise<void> {
    try {
      if (withNetworks) await this.followNetworks(client);
      await this.options.reconciler.connected(client);
    } catch (error) {
      this.options.logger.error({ err: error }, 'the domains of libvirt could not be looked at');
    }
  }

  private async followNetworks(client: LibvirtClient): Promise<void> {
    const refresh = async () => {
      try {
        await this.options.networks.refresh(client);
      } catch (error) {
        this.options.logger.warn({ err: error }, "libvirt's networks could not be read");
      }
    };
    await client.onNetworkEvent(() => void refresh());
    await refresh();
  }

  private lose(error: Error): void {
    this.lastError = error.message;
    this.options.reconciler.disconnected();
    this.options.logger.warn(`libvirt is not connected: ${error.message}`);
  }

  private forgetGone(): void {
    const { registry, keepGoneDays } = this.options;
    registry.forgetGone(new Date(Date.now() - keepGoneDays * DAY_MS));
  }

  /** The past of domains; without the store it is tried again, and until then an unknown domain may have run. */
  private async loadDomains(): Promise<void> {
    try {
      const records: DomainRecord[] = [];
      let cursor: string | undefined;
      do {
        const page = await this.options.store.domains({
          host: this.options.host,
          limit: 1_000,
          ...(cursor !== undefined && { cursor }),
        });
        records.push(...page.items);
        cursor = page.next;
      } while (cursor !== undefined);
      this.options.registry.load(records);
    } catch (error) {
      this.options.logger.warn({ err: error }, 'what is known of domains could not be read from the store');
      this.loading = setTimeout(() => void this.loadDomains(), LOAD_RETRY_MS).unref();
    }
  }
}
