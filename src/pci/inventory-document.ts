import { LocatedError } from '../located-error.js';
import { parseBdf, type Bdf } from './bdf.js';
import { Inventory } from './inventory.js';
import {
  INVENTORY_API_VERSION,
  INVENTORY_KIND,
  INVENTORY_REMEDY,
  validateInventory,
  type FunctionDto,
} from './inventory-dto.js';
import { MAX_CONFIG_BYTES, type PciFunction } from './pci-function.js';

/** Bytes of an inventory document: some 11,000 functions with all of their config space. */
export const MAX_INVENTORY_BYTES = 64 * 1024 * 1024;

/** An inventory, and where and when it was taken. */
export interface InventoryDocument {
  host?: string;
  /** UTC, `2026-01-31T12:00:00Z`, with or without milliseconds. */
  takenAt: string;
  inventory: Inventory;
}

/**
 * Writes the document; reading it back gives the same.
 *
 * @throws LocatedError where no reader would accept it for its size
 */
export function formatInventory(document: InventoryDocument): string {
  const text = `${JSON.stringify(
    {
      apiVersion: INVENTORY_API_VERSION,
      kind: INVENTORY_KIND,
      host: document.host,
      takenAt: document.takenAt,
      functions: document.inventory.functions.map(toDto),
    },
    null,
    2,
  )}\n`;
  if (text.length > MAX_INVENTORY_BYTES) refuseTooLarge('inventory');
  return text;
}

/**
 * Reads a document as `formatInventory` writes it, and trusts nothing in it.
 *
 * @param name what to call the document in messages, such as its file
 * @throws LocatedError with the name and the field's path, `node.json: functions[3].vendor`
 */
export function parseInventory(text: string, name: string): InventoryDocument {
  if (text.length > MAX_INVENTORY_BYTES) refuseTooLarge(name);
  const dto = validateInventory(parseJson(text, name), name);
  const seen = new Map<string, number>();
  const functions = dto.functions.map((entry, index) => {
    const refuse = (field: string, problem: string, remedy: string): never => {
      throw new LocatedError(problem, `${name}: functions[${index}].${field}`, remedy);
    };
    const first = seen.get(entry.bdf);
    if (first !== undefined) refuse('bdf', `repeats functions[${first}].bdf`, 'List each function once.');
    seen.set(entry.bdf, index);
    if (entry.kind === 'pf' && entry.physicalFunction !== undefined) {
      refuse('physicalFunction', 'is only for a virtual function', 'Remove it, or set kind to vf.');
    }
    if ((entry.subsystemVendor === undefined) !== (entry.subsystemDevice === undefined)) {
      refuse('subsystemVendor', 'comes only together with subsystemDevice', 'Give both, or neither.');
    }
    return fromDto(entry, refuse);
  });
  const document: InventoryDocument = { takenAt: dto.takenAt, inventory: Inventory.of(functions) };
  if (dto.host !== undefined) document.host = dto.host;
  return document;
}

function refuseTooLarge(name: string): never {
  throw new LocatedError(
    `the document is larger than ${MAX_INVENTORY_BYTES} bytes`,
    name,
    'Leave out the functions that are never assigned.',
  );
}

function parseJson(text: string, name: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // The engine's message quotes the text, which is from outside.
    throw new LocatedError('it is not JSON', name, INVENTORY_REMEDY);
  }
}

function toDto(fn: PciFunction): FunctionDto {
  return {
    bdf: fn.bdf,
    vendor: fn.vendor,
    device: fn.device,
    subsystemVendor: fn.subsystemVendor,
    subsystemDevice: fn.subsystemDevice,
    revision: fn.revision,
    class: fn.class,
    kind: fn.kind,
    physicalFunction: fn.physicalFunction,
    driver: fn.driver,
    iommuGroup: fn.iommuGroup,
    resetMethods: fn.resetMethods,
    express: fn.express,
    configSize: fn.configSize,
    configSpace: fn.configSpace && Buffer.from(fn.configSpace).toString('base64'),
  };
}

function fromDto(
  dto: FunctionDto,
  refuse: (field: string, problem: string, remedy: string) => never,
): PciFunction {
  const address = (field: 'bdf' | 'physicalFunction'): Bdf | undefined => {
    const text = dto[field];
    if (text === undefined) return undefined;
    const bdf = parseBdf(text);
    // The kernel pads the domain to four digits and no further.
    return bdf === text ? bdf : refuse(field, 'must be written as sysfs writes it', `Write ${bdf}.`);
  };
  const { configSpace, physicalFunction: _, ...rest } = dto;
  const fn: PciFunction = { ...rest, bdf: address('bdf')! };
  const physicalFunction = address('physicalFunction');
  if (physicalFunction !== undefined) fn.physicalFunction = physicalFunction;
  if (configSpace !== undefined) {
    const bytes = Buffer.from(configSpace, 'base64');
    // Buffer skips what is no base64; only the same text back proves that it was all.
    if (bytes.toString('base64') !== configSpace) refuse('configSpace', 'is not base64', INVENTORY_REMEDY);
    if (bytes.length < 64 || bytes.length > (dto.configSize ?? MAX_CONFIG_BYTES)) {
      refuse(
        'configSpace',
        `has ${bytes.length} bytes, not 64 to ${dto.configSize ?? MAX_CONFIG_BYTES}`,
        'Correct it or configSize.',
      );
    }
    fn.configSpace = Uint8Array.from(bytes);
  }
  for (const key of Object.keys(fn) as (keyof PciFunction)[]) if (fn[key] === undefined) delete fn[key];
  return fn;
}
