import 'reflect-metadata';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { DecisionService } from '../../src/decision/decision.service.js';
import { UNPROBED_HOST } from '../../src/host/host-capabilities.js';
import {
  PolicyActivation,
  type PolicyActivationParts,
} from '../../src/policy/activation/policy-activation.js';
import type { PolicyOrigin } from '../../src/policy/activation/policy-origin.js';
import type { PolicyEvent } from '../../src/policy/activation/policy-status.js';
import { PolicyProcess } from '../../src/policy/activation/policy-process.js';
import { WorkerStarter } from '../../src/policy/activation/worker-starter.js';
import { RevisionStore } from '../../src/policy/activation/revision-store.js';
import type { JudgedDomain } from '../../src/policy/effect/policy-effect.js';
import { filePin } from '../../src/service/policy-setup.js';
import { compiledService, POLICY_WORKER } from '../end-to-end/compiled-service.js';
import { domain, hostdev, NODE_INVENTORY, policyOf, risksOf } from '../fixtures/scenario.js';

/** A node as far as policies concern it: the real activation, process and disk, and domains that somebody gives it. */
export class PolicyNodeStand {
  readonly events: PolicyEvent[] = [];
  now = new Date('2026-11-26T12:00:00Z');
  domains: JudgedDomain[] | undefined = [
    { name: 'vm', xml: domain(hostdev('0000:81:00.0')), domainState: 'new', ranRestricted: [] },
  ];
  listDomains: PolicyActivationParts['domains'] = async () => this.domains;
  decisions!: DecisionService;
  activation!: PolicyActivation;

  constructor(
    readonly name: string,
    private readonly origin: PolicyOrigin,
    readonly directory = mkdtempSync(join(tmpdir(), 'warden-node-')),
    private readonly given: Partial<PolicyActivationParts> = {},
  ) {}

  /** Starts, or starts again, with what is on disk. @returns what `restore` says */
  async start(): Promise<string[]> {
    this.decisions = new DecisionService({
      inventory: NODE_INVENTORY,
      host: { ...UNPROBED_HOST, defaultMachine: 'pc', qemuDevices: ['qemu-xhci', 'pcie-pci-bridge'] },
      policy: policyOf('{ name: nothing, mode: off }'),
      risks: risksOf(),
      hostMode: 'enforce',
      node: { name: this.name, labels: [] },
    });
    this.activation = new PolicyActivation({
      origin: this.origin,
      reader:
        this.given.reader ?? new PolicyProcess(new WorkerStarter(join(compiledService(), POLICY_WORKER))),
      store: new RevisionStore(join(this.directory, 'policy')),
      basis: () => this.decisions.basis,
      apply: ({ policy, risks }) => this.decisions.replace({ policy, risks }),
      domains: () => this.listDomains(),
      hostdevNetworks: () => [],
      pin: filePin(join(this.directory, 'policy/pin')),
      brakePercent: 10,
      tell: (event) => this.events.push(event),
      clock: () => this.now,
      ...this.given,
    });
    const { revision, problems } = await this.activation.restore();
    if (revision) this.decisions.replace({ policy: revision.policy, risks: revision.risks });
    return problems;
  }

  /** What the node decides about its first domain now. */
  decide() {
    const { xml, domainState } = this.domains![0]!;
    return this.decisions.evaluate({
      xml,
      domainState,
      hostdevNetworks: [],
      evaluatedAt: this.now.toISOString(),
    }).decision;
  }

  remove(): void {
    rmSync(this.directory, { recursive: true, force: true });
  }
}
