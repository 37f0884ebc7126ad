import { probeHost } from '../host/probe-host.js';
import type { HostCapabilities } from '../host/host-capabilities.js';
import { Inventory } from '../pci/inventory.js';
import { readInventoryFile } from '../pci/inventory-file.js';
import { readSysfsInventory, type InventoryProblem } from '../pci/sysfs-inventory.js';
import { compileDirectory } from '../policy/bundle/compile-bundle.js';
import type { Settings } from '../config/settings.js';
import { RiskDatabase } from '../risk/risk-database.js';
import type { DecisionBasis } from './decision.service.js';

/** What was read of the host, and what could not be. */
export interface LoadedBasis extends DecisionBasis {
  inventoryProblems: readonly InventoryProblem[];
}

/**
 * Reads policies, risk entries and the inventory, and probes the host unless its capabilities are given.
 *
 * @throws LocatedError that names file, line and field
 */
export async function loadBasis(settings: Settings, given?: HostCapabilities): Promise<LoadedBasis> {
  const [{ policy, risks }, host, { inventory, problems }] = await Promise.all([
    compileDirectory(settings.policies, settings.risks),
    given ?? probeHost(settings),
    loadInventory(settings),
  ]);
  return {
    policy,
    risks: new RiskDatabase(risks),
    host,
    inventory,
    hostMode: settings.mode,
    node: { name: settings.hostName, labels: settings.hostLabels ?? [] },
    inventoryProblems: problems,
  };
}

/** What of the basis is the host's: what `loadBasis` reads, without policies and risk entries. */
export async function loadHost(
  settings: Settings,
): Promise<Pick<LoadedBasis, 'host' | 'inventory' | 'hostMode' | 'node' | 'inventoryProblems'>> {
  const [host, { inventory, problems }] = await Promise.all([probeHost(settings), loadInventory(settings)]);
  return {
    host,
    inventory,
    hostMode: settings.mode,
    node: { name: settings.hostName, labels: settings.hostLabels ?? [] },
    inventoryProblems: problems,
  };
}

/** The inventory file where one is configured, the host's sysfs otherwise. */
export async function loadInventory(
  settings: Settings,
): Promise<{ inventory: Inventory; problems: readonly InventoryProblem[] }> {
  if (settings.inventory !== undefined) {
    return { inventory: await readInventoryFile(settings.inventory), problems: [] };
  }
  const { functions, problems } = await readSysfsInventory({ root: settings.sysfs });
  return { inventory: Inventory.of(functions), problems };
}
