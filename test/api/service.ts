import 'reflect-metadata';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request, { type Agent } from 'supertest';
import { listen, type Listener, type ListenSettings } from '../../src/api/listen.js';
import type { AppParts } from '../../src/app.module.js';
import { createApp } from '../../src/create-app.js';
import { DecisionService } from '../../src/decision/decision.service.js';
import { FileHostSwitch } from '../../src/host/host-switch.js';
import { Metrics } from '../../src/metrics/metrics.js';
import { readPciIds } from '../../src/pci/pci-ids-file.js';
import { readRiskDirectory } from '../../src/risk/risk-loader.js';
import { PolicyActivation } from '../../src/policy/activation/policy-activation.js';
import { DirectoryOrigin } from '../../src/policy/activation/policy-origin.js';
import { PolicyProcess } from '../../src/policy/activation/policy-process.js';
import { WorkerStarter } from '../../src/policy/activation/worker-starter.js';
import { RevisionStore } from '../../src/policy/activation/revision-store.js';
import { filePin } from '../../src/service/policy-setup.js';
import { DecisionJournal } from '../../src/store/decision-journal.js';
import { openStore } from '../../src/store/open-store.js';
import type { Store } from '../../src/store/store.js';
import { STOCK_HOST } from '../fixtures/hosts.js';
import { NODE_INVENTORY, policyOf } from '../fixtures/scenario.js';

const RULE =
  '{ name: close, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: before-first-run }';

/** The API on a unix socket, with a real store, journal and switch in a directory of its own. */
export interface TestService {
  directory: string;
  app: NestExpressApplication;
  /** Over the unix socket. */
  api: Agent;
  store: Store;
  journal: DecisionJournal;
  parts: AppParts;
  /** Listens once more, elsewhere. */
  listen(settings: Partial<ListenSettings> & { listen: string }): Promise<Listener>;
  close(): Promise<void>;
}

export async function startService(given: Partial<AppParts> = {}): Promise<TestService> {
  const directory = await mkdtemp(join(tmpdir(), 'warden-api-'));
  const store = await openStore({ sqliteFile: join(directory, 'decisions.sqlite'), host: 'node-1' });
  const journal = new DecisionJournal(store, { host: 'node-1' });
  const decisions = new DecisionService({
    inventory: NODE_INVENTORY,
    host: STOCK_HOST,
    policy: policyOf(RULE),
    risks: await readRiskDirectory('policies/risks'),
    hostMode: 'enforce',
  });
  const hostSwitch = await FileHostSwitch.open({
    file: join(directory, 'mode'),
    configured: 'enforce',
    onChange: ({ to }) => decisions.replace({ hostMode: to }),
  });
  const activation = new PolicyActivation({
    origin: new DirectoryOrigin('policies', 'policies/risks'),
    reader: new PolicyProcess(new WorkerStarter('never started')),
    store: new RevisionStore(join(directory, 'policy')),
    basis: () => decisions.basis,
    apply: ({ policy, risks }) => decisions.replace({ policy, risks }),
    domains: async () => [],
    hostdevNetworks: () => [],
    pin: filePin(join(directory, 'policy/pin')),
    brakePercent: 10,
    tell: () => undefined,
    clock: () => new Date(),
  });
  await activation.restore();
  const parts: AppParts = {
    decisions,
    policyControl: activation,
    names: await readPciIds(),
    store,
    journal,
    hostSwitch,
    components: [],
    metrics: new Metrics('0.1.0'),
    hostName: 'node-1',
    version: '0.1.0',
    ...given,
  };
  const app = await createApp(parts);
  const listeners: Listener[] = [];
  const listenAt = async (settings: Partial<ListenSettings> & { listen: string }) => {
    const listener = await listen(app, settings);
    listeners.push(listener);
    return listener;
  };
  const socket = join(directory, 'api.sock');
  await listenAt({ listen: `unix:${socket}` });
  return {
    directory,
    app,
    api: request.agent(`http+unix://${encodeURIComponent(socket)}`),
    store,
    journal,
    parts,
    listen: listenAt,
    close: async () => {
      await Promise.all(listeners.map((listener) => listener.close(1000)));
      await app.close();
      hostSwitch.close();
      await journal.flush(1000);
      await store.close();
      await rm(directory, { recursive: true, force: true });
    },
  };
}
