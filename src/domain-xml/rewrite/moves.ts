import { formatBdf } from '../../pci/bdf.js';
import type { AddressedDevice, CertainPlan } from '../addressing/address-plan.js';
import { samePciAddress, type PciAddress } from '../pci-address.js';
import type { Move } from './document-edit.js';

export interface KeyedMove extends Move {
  key: string;
  kind: AddressedDevice['kind'];
}

/** What has another guest address in `after` than in `before`, but for the devices that were meant to move. */
export function movesBetween(
  before: CertainPlan,
  after: CertainPlan,
  meant: ReadonlySet<string>,
): KeyedMove[] {
  const placed = new Map(after.devices.map((device) => [device.key, device.address]));
  return before.devices
    .filter(({ key, address }) => !meant.has(key) && !samePciAddress(address, placed.get(key)))
    .map(({ key, kind, address }) => ({
      key,
      kind,
      device: key.replaceAll(':', ' '),
      from: describe(address),
      to: describe(placed.get(key)),
    }));
}

function describe(address: PciAddress | undefined): string {
  return address ? formatBdf(address) : 'no PCI address';
}
