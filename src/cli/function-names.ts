import type { NameFunction } from '../decision/explanation.js';
import type { PciIds } from '../pci/pci-ids.js';
import { readPciIds } from '../pci/pci-ids-file.js';

/** Names of PCI devices from the host's pci.ids; none where it has no such file. */
export function loadPciNames(): Promise<PciIds> {
  return readPciIds();
}

/** Names functions in explanations. */
export async function functionNamer(): Promise<NameFunction> {
  const names = await loadPciNames();
  return ({ vendor, device }) =>
    [names.vendor(vendor), names.device(vendor, device)].filter((name) => name !== undefined).join(' ') ||
    undefined;
}
