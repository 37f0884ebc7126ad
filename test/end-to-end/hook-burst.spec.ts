import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DecisionSummary } from '../../src/store/records.js';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { clients } from './clients.js';
import { REPOSITORY } from './compiled-service.js';
import { GuardedHost } from './guarded-host.js';
import { NVME } from './guests.js';
import type { RunningService } from './running-service.js';

const STARTS = 50;

interface Start {
  started: boolean;
  message?: string;
}

interface InventoryFile {
  functions: { bdf: string; iommuGroup?: number }[];
}

/** The fixture node with fifty of its NVMe controller, each in an IOMMU group of its own. */
function manyControllers(): { inventory: string; controllers: string[] } {
  const node = JSON.parse(
    readFileSync(join(REPOSITORY, 'test/fixtures/inventory/node.json'), 'utf8'),
  ) as InventoryFile;
  const controller = node.functions.find(({ bdf }) => bdf === NVME)!;
  // Two buses that the node does not have, of 32 slots each.
  const address = (index: number) =>
    `0000:${index < 32 ? '90' : '91'}:${(index % 32).toString(16).padStart(2, '0')}.0`;
  const copies = Array.from({ length: STARTS }, (_, index) => ({
    ...controller,
    bdf: address(index),
    iommuGroup: 100 + index,
  }));
  const inventory = JSON.stringify({ ...node, functions: [...node.functions, ...copies] });
  return { inventory, controllers: copies.map(({ bdf }) => bdf) };
}

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)(`${STARTS} domains that start at once`, () => {
  const { inventory, controllers } = manyControllers();
  let host: GuardedHost;
  let service: RunningService;

  beforeAll(async () => {
    host = await GuardedHost.start(inventory);
    service = await host.serve({
      WARDEN_INVENTORY: join(host.directory, 'inventory.json'),
      WARDEN_RECONCILE: 'false',
    });
  }, 60_000);
  afterAll(async () => {
    await service?.stop();
    await host?.stop();
  }, 60_000);

  it('are each judged by the hook, and vetoed for what they lack', async () => {
    const starts = await clients<Start>('start-at-once', host.libvirt.uri, ...controllers);
    expect(starts).toHaveLength(controllers.length);
    for (const { message } of starts) expect(message).toMatch(/needs conventional-bus/);
    await host.clear();
  }, 90_000);

  it('run where they came through the proxy', async () => {
    const starts = await clients<Start>('start-at-once', service.uri, ...controllers);
    expect(starts.filter(({ started }) => started)).toHaveLength(controllers.length);
    const asked = async () =>
      (await service.list<DecisionSummary>('/v1/decisions')).filter(
        ({ surface, operation, verdict }) =>
          surface === 'hook' && operation === 'start' && verdict === 'restricted',
      );
    await service.until('each is on record', async () => (await asked()).length === controllers.length);
  }, 120_000);
});
