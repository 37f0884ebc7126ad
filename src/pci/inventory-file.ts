import { randomUUID } from 'node:crypto';
import { constants } from 'node:fs';
import { open, rename, rm } from 'node:fs/promises';
import { LocatedError } from '../located-error.js';
import type { Inventory } from './inventory.js';
import {
  formatInventory,
  MAX_INVENTORY_BYTES,
  parseInventory,
  type InventoryDocument,
} from './inventory-document.js';

/**
 * Reads an inventory document.
 *
 * @throws LocatedError with the file, and the field's path where it is the content
 */
export async function readInventoryDocument(path: string): Promise<InventoryDocument> {
  let text: string;
  try {
    const file = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new LocatedError('it is not a regular file', path, 'Name an inventory file.');
      // One that grows meanwhile is cut, and is then no JSON.
      const buffer = Buffer.alloc(Math.min(stat.size, MAX_INVENTORY_BYTES + 1));
      let length = 0;
      for (let got = 1; got > 0 && length < buffer.length; length += got) {
        got = (await file.read(buffer, length, buffer.length - length, length)).bytesRead;
      }
      text = buffer.toString('utf8', 0, length);
    } finally {
      await file.close();
    }
  } catch (error) {
    if (error instanceof LocatedError) throw error;
    throw new LocatedError(
      `it cannot be read (${error instanceof Error && 'code' in error ? error.code : error})`,
      path,
      'Check the path and the permissions.',
    );
  }
  return parseInventory(text, path);
}

/**
 * Reads an inventory document, and gives only what it says of the host's functions.
 *
 * @throws LocatedError as `readInventoryDocument`
 */
export async function readInventoryFile(path: string): Promise<Inventory> {
  return (await readInventoryDocument(path)).inventory;
}

/**
 * Writes an inventory document. A reader sees the old file or the new one, never a part: it is written beside and
 * renamed.
 *
 * @throws LocatedError where it cannot be written
 */
export async function writeInventoryFile(path: string, document: InventoryDocument): Promise<void> {
  const text = formatInventory(document);
  const beside = `${path}.${randomUUID()}.tmp`;
  try {
    const file = await open(beside, 'wx', 0o644);
    try {
      await file.writeFile(text);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw new LocatedError(
      `it cannot be written (${error instanceof Error && 'code' in error ? error.code : error})`,
      path,
      'Check the path, the permissions and the space left.',
    );
  }
}
