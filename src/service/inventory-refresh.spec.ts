import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino } from 'pino';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { STOCK_HOST } from '../../test/fixtures/hosts.js';
import { TYPICAL_NODE } from '../../test/fixtures/inventory/typical-node.js';
import { policyOf, risksOf } from '../../test/fixtures/scenario.js';
import { buildSysfs } from '../../test/fixtures/sysfs/build-sysfs.js';
import { Settings } from '../config/settings.js';
import { DecisionService } from '../decision/decision.service.js';
import { InventoryMemory } from '../host/inventory-memory.js';
import { parseBdf } from '../pci/bdf.js';
import { Inventory } from '../pci/inventory.js';
import { InventoryRefresh } from './inventory-refresh.js';

const VIRTUAL_FUNCTION = parseBdf('0000:3b:02.1')!;

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'inventory-refresh-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

it('knows a virtual function with its config space soon after the host has made it', async () => {
  const all = TYPICAL_NODE.inventory.functions;
  const before = all.filter(({ bdf }) => bdf !== VIRTUAL_FUNCTION);
  const sysfs = join(root, 'sys');
  buildSysfs(sysfs, before);
  const decisions = new DecisionService({
    inventory: Inventory.of(before),
    host: STOCK_HOST,
    policy: policyOf('{ name: nothing, mode: off }'),
    risks: risksOf(),
    hostMode: 'enforce',
  });
  const refresh = new InventoryRefresh(
    Object.assign(new Settings(), { sysfs }),
    decisions,
    new InventoryMemory(join(root, 'inventory.json'), 'node-1'),
    pino({ level: 'silent' }),
  );
  await refresh.start();
  try {
    rmSync(sysfs, { recursive: true });
    buildSysfs(sysfs, all);
    await vi.waitFor(
      () => expect(decisions.basis.inventory.get(VIRTUAL_FUNCTION)?.configSpace).toBeDefined(),
      { timeout: 15_000, interval: 50 },
    );
  } finally {
    await refresh.stop();
  }
});
