import 'reflect-metadata';
import { join } from 'node:path';
import { DecisionRecorder } from '../../src/store/decision-recorder.js';
import { DecisionService } from '../../src/decision/decision.service.js';
import { DomainRegistry } from '../../src/libvirt/domain-registry.js';
import type { FailureMode } from '../../src/config/settings.js';
import { CallJudge } from '../../src/libvirt/proxy/call-judge.js';
import { ProxyServer } from '../../src/libvirt/proxy/proxy-server.js';
import { XmlJudge } from '../../src/libvirt/proxy/xml-judge.js';
import { LibvirtClient } from '../../src/libvirt/rpc/libvirt-client.js';
import type { DomainRef } from '../../src/libvirt/rpc/types.js';
import type { PolicySet } from '../../src/policy/policy-set.js';
import type { Journal } from '../../src/store/journal.js';
import type { DecisionRecord, DomainRecord, EventRecord } from '../../src/store/records.js';
import { STOCK_HOST } from '../fixtures/hosts.js';
import { NODE_INVENTORY, risksOf } from '../fixtures/scenario.js';

/** A journal that a test can look into. */
export class MemoryJournal implements Journal {
  readonly decisions: DecisionRecord[] = [];
  readonly events: EventRecord[] = [];
  decision(record: DecisionRecord): void {
    this.decisions.push(record);
  }
  event(record: EventRecord): void {
    this.events.push(record);
  }
  readonly domains: DomainRecord[] = [];
  domain(record: DomainRecord): void {
    this.domains.push(record);
  }
  domainGone(): void {}
}

export interface StandOptions {
  /** Libvirt's socket. */
  upstream: string;
  /** Where the proxy's sockets go. */
  directory: string;
  policy: PolicySet;
  failure?: FailureMode;
  hostdevNetworks?: () => readonly string[];
  /** Takes the place of asking libvirt for a domain. */
  domainXml?: (domain: DomainRef, flags: number) => Promise<string>;
}

/** The proxy in front of a libvirt socket, in this process, deciding about the fixture node. */
export class ProxyStand {
  readonly journal = new MemoryJournal();
  readonly refusals: string[] = [];
  readonly socket: string;
  private readonly server: ProxyServer;
  private client: Promise<LibvirtClient> | undefined;
  readonly registry: DomainRegistry;

  constructor(private readonly options: StandOptions) {
    const { upstream, directory, policy, failure = 'closed', hostdevNetworks = () => [] } = options;
    this.socket = join(directory, 'proxy-sock');
    const decisions = new DecisionService({
      policy,
      risks: risksOf(),
      inventory: NODE_INVENTORY,
      host: STOCK_HOST,
      hostMode: 'enforce',
    });
    const recorder = new DecisionRecorder(decisions, this.journal, 'node');
    this.registry = new DomainRegistry('node', this.journal);
    this.registry.load([]);
    this.registry.markListed();
    const xml = new XmlJudge({
      recorder,
      registry: this.registry,
      hostdevNetworks,
      domainXml: options.domainXml ?? (async (domain, flags) => (await this.own()).domainXml(domain, flags)),
    });
    this.server = new ProxyServer(
      {
        listen: { path: this.socket, mode: 0o600 },
        upstream: () => upstream,
        judge: new CallJudge(
          xml,
          failure,
          () => 'enforce',
          (_, __, error) => this.refusals.push(String(error)),
        ),
      },
      {
        judged: () => {},
        answered: () => {},
        refused: (what) => this.refusals.push(what),
      },
      () => {},
    );
  }

  get uri(): string {
    return `qemu+unix:///system?socket=${this.socket}`;
  }

  start(): Promise<void> {
    return this.server.start();
  }

  get clients(): number {
    return this.server.clients;
  }

  async stop(graceMs = 1_000): Promise<void> {
    await this.server.stop(graceMs);
    if (this.client) await (await this.client).close();
  }

  private own(): Promise<LibvirtClient> {
    this.client ??= LibvirtClient.connect({ path: this.options.upstream });
    return this.client;
  }
}
