import type { Command } from 'commander';
import { readPciIds } from '../pci/pci-ids-file.js';
import { readInventoryFile } from '../pci/inventory-file.js';
import type { Inventory } from '../pci/inventory.js';
import { LocatedError } from '../located-error.js';
import { compileDirectory } from '../policy/bundle/compile-bundle.js';
import type { CompiledBundle } from '../policy/bundle/bundle-compiler.js';
import { namerOf, type NameFunction } from '../decision/explanation.js';
import { addSettingsOptions, settingsFrom, type SettingsOptions } from './settings-options.js';

/** Options of the tools that work on documents alone, on any machine. */
export interface OfflineOptions extends SettingsOptions {
  json?: boolean;
  /** Inventory file. */
  host?: string;
  hostName?: string;
  label: string[];
  at?: string;
}

export function addOfflineOptions(command: Command): Command {
  return addSettingsOptions(command, ['risks']).option('--json', 'print the result as JSON');
}

/** Options that say which host is meant. */
export function addHostOptions(command: Command): Command {
  return command
    .requiredOption('--host <file>', 'inventory of the host, as `wardenctl inventory -o` writes it')
    .option('--host-name <name>', 'its name, for scopes and rollouts', 'host')
    .option('--label <key=value...>', 'its labels, for scopes', [] as string[])
    .option('--at <time>', 'evaluation time (ISO 8601), for exemptions and rollouts');
}

export function compileAt(directory: string, options: SettingsOptions): Promise<CompiledBundle> {
  return compileDirectory(directory, settingsFrom(options).risks);
}

export function inventoryOf({ host }: OfflineOptions): Promise<Inventory> {
  return readInventoryFile(host!);
}

export async function namer(): Promise<NameFunction> {
  return namerOf(await readPciIds());
}

export function evaluationTime({ at }: OfflineOptions): string {
  const time = at === undefined ? new Date() : new Date(at);
  if (Number.isNaN(time.getTime())) {
    throw new LocatedError(`${at?.slice(0, 40)} is no time`, '--at', 'Write it as 2026-01-31T12:00:00Z.');
  }
  return time.toISOString();
}
