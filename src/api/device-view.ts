import type { PciFunction } from '../pci/pci-function.js';
import type { PciIds } from '../pci/pci-ids.js';
import type { RiskDatabase } from '../risk/risk-database.js';
import type { Bdf } from '../pci/bdf.js';
import type { Store } from '../store/store.js';
import type { DeviceHolder, DeviceView } from './devices.dto.js';

/** A function of the inventory as the API shows it. */
export function viewOfDevice(fn: PciFunction, names: PciIds, risks: RiskDatabase): DeviceView {
  const { configSpace, ...facts } = fn;
  const name = [names.vendor(fn.vendor), names.device(fn.vendor, fn.device)].filter(
    (part) => part !== undefined,
  );
  return {
    ...facts,
    ...(name.length > 0 && { name: name.join(' ') }),
    className: names.className(fn.class),
    configSpaceBytes: configSpace?.length ?? 0,
    risks: risks.assess(fn).risks.map(({ exposure, risk }) => ({
      exposure,
      entry: risk.entry,
      severity: risk.severity,
      effect: risk.effect,
    })),
  };
}

const PAGE = 1000;
/** 10,000 domains: no host has as many. */
const MAX_PAGES = 10;

/** The domains of a host that devices are assigned to, running or not. */
export async function holdersByDevice(
  store: Store,
  host: string,
): Promise<ReadonlyMap<string, DeviceHolder[]>> {
  const holders = new Map<string, DeviceHolder[]>();
  let cursor: string | undefined;
  for (let page = 0; page < MAX_PAGES; page++) {
    const { items, next } = await store.domains({ host, present: true, limit: PAGE, cursor });
    for (const { uuid, name, active, devices } of items) {
      for (const device of devices)
        holders.set(device, [...(holders.get(device) ?? []), { uuid, name, active }]);
    }
    if (next === undefined) break;
    cursor = next;
  }
  return holders;
}

/** The same for one device. */
export async function holdersOf(store: Store, host: string, device: Bdf): Promise<DeviceHolder[]> {
  const { items } = await store.domains({ host, device, present: true, limit: PAGE });
  return items.map(({ uuid, name, active }) => ({ uuid, name, active }));
}
