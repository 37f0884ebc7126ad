import { mkdtempSync, readdirSync, readFileSync, rmSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, describe, expect, it } from 'vitest';
import { TYPICAL_NODE } from '../../test/fixtures/inventory/typical-node.js';
import { formatInventory } from './inventory-document.js';
import { readInventoryDocument, readInventoryFile, writeInventoryFile } from './inventory-file.js';

const NODE_JSON = fileURLToPath(new URL('../../test/fixtures/inventory/node.json', import.meta.url));
const directory = mkdtempSync(join(tmpdir(), 'inventory-'));
const path = join(directory, 'node.json');
afterAll(() => rmSync(directory, { recursive: true }));

describe('an inventory file', () => {
  it('is read back as it was written, and leaves nothing beside', async () => {
    await writeInventoryFile(path, TYPICAL_NODE);
    await writeInventoryFile(path, TYPICAL_NODE);

    expect(await readInventoryDocument(path)).toEqual(TYPICAL_NODE);
    expect(readdirSync(directory)).toEqual(['node.json']);
  });

  it('is named when it is not there, not a file, or not an inventory', async () => {
    const broken = join(directory, 'broken.json');
    writeFileSync(broken, '{"apiVersion":"vfio-warden.dev/v1","kind":"Inventory","functions":[1]}');

    await expect(readInventoryFile(join(directory, 'none'))).rejects.toThrow(
      /none: it cannot be read \(ENOENT\)/,
    );
    await expect(readInventoryFile(directory)).rejects.toThrow(`${directory}: it is not a regular file`);
    await expect(readInventoryFile(broken)).rejects.toThrow(`${broken}: functions[0]: must be an object`);
  });

  it('is refused when it is larger than any inventory, without being read whole', async () => {
    const huge = join(directory, 'huge.json');
    writeFileSync(huge, '');
    truncateSync(huge, 100 * 1024 ** 3);

    await expect(readInventoryFile(huge)).rejects.toThrow('larger than 67108864 bytes');
  });

  it('is not written where it cannot be', async () => {
    const nowhere = join(directory, 'no/such/node.json');

    await expect(writeInventoryFile(nowhere, TYPICAL_NODE)).rejects.toThrow(
      `${nowhere}: it cannot be written (ENOENT)`,
    );
  });
});

describe('the fixture node', () => {
  it('is what its description builds (npx tsx test/fixtures/inventory/write-node-json.ts)', () => {
    expect(readFileSync(NODE_JSON, 'utf8')).toBe(formatInventory(TYPICAL_NODE));
  });
});
