import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { parseBdf } from '../pci/bdf.js';
import { Inventory } from '../pci/inventory.js';
import type { PciFunction } from '../pci/pci-function.js';
import { InventoryMemory } from './inventory-memory.js';

const BDF = parseBdf('0000:81:00.0')!;
const NOW = new Date('2026-01-31T12:00:00Z');

const nvme: PciFunction = {
  bdf: BDF,
  vendor: '144d',
  device: 'a80a',
  revision: '00',
  class: '010802',
  kind: 'pf',
  resetMethods: ['flr'],
};
const readInFull: PciFunction = {
  ...nvme,
  configSpace: new Uint8Array(4096).fill(7),
  configSize: 4096,
  express: true,
};

describe('InventoryMemory', () => {
  let directory: string;
  let file: string;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'warden-inventory-'));
    file = join(directory, 'inventory.json');
  });
  afterEach(() => rm(directory, { recursive: true }));

  const complete = (reading: PciFunction, memory = new InventoryMemory(file, 'node-1')) =>
    memory.complete(Inventory.of([reading]), NOW);

  it('knows after a restart the registers of a device that a VM holds by now', async () => {
    await complete(readInFull);
    const { inventory, problem } = await complete({ ...nvme, driver: 'vfio-pci' });
    expect(problem).toBeUndefined();
    expect(inventory.get(BDF)).toMatchObject({ driver: 'vfio-pci', configSize: 4096, express: true });
    expect(inventory.get(BDF)!.configSpace).toEqual(readInFull.configSpace);
  });

  it('believes a new reading, and not what it remembers', async () => {
    await complete(readInFull);
    const { inventory } = await complete({ ...readInFull, configSpace: new Uint8Array(256).fill(9) });
    expect(inventory.get(BDF)!.configSpace).toEqual(new Uint8Array(256).fill(9));
  });

  it('knows nothing of another device in the same slot', async () => {
    await complete(readInFull);
    const { inventory } = await complete({ ...nvme, device: 'a80b' });
    expect(inventory.get(BDF)!.configSpace).toBeUndefined();
  });

  it('goes on without a file that is broken, says so, and mends it', async () => {
    await writeFile(file, '{"half');
    const memory = new InventoryMemory(file, 'node-1');
    const { inventory, problem } = await complete(readInFull, memory);
    expect(inventory.get(BDF)).toBeDefined();
    expect(problem?.message).toContain('it is not JSON');
    expect(JSON.parse(await readFile(file, 'utf8'))).toMatchObject({ host: 'node-1', functions: [{}] });
  });

  it('goes on where nothing can be written, and says so', async () => {
    const memory = new InventoryMemory(join(directory, 'absent', 'inventory.json'), 'node-1');
    const { inventory, problem } = await complete(readInFull, memory);
    expect(inventory.get(BDF)).toBeDefined();
    expect(problem?.message).toContain('ENOENT');
  });
});
