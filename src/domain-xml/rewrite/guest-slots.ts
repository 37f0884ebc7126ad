import { sameSlot } from '../../pci/bdf.js';
import type { CertainPlan } from '../addressing/address-plan.js';
import type { AssignedDevice } from '../assigned-devices.js';
import type { PciAddress } from '../pci-address.js';

/** Devices that the guest sees as functions of one slot; most often just one. */
export interface GuestSlot {
  address: Pick<PciAddress, 'bus' | 'slot'>;
  members: { device: AssignedDevice; key: string; function: number }[];
  /** Whether the slot holds something else besides: then a bridge cannot take its place. */
  shared: boolean;
}

/**
 * Groups assigned devices by the guest slot that they have, in the order of the host's slots, so that functions of one
 * host device stand together. Undefined where a device has no guest PCI address.
 */
export function guestSlots(devices: readonly AssignedDevice[], plan: CertainPlan): GuestSlot[] | undefined {
  const slots = new Map<string, GuestSlot>();
  const selected = new Set<string>();
  for (const device of devices) {
    const planned = plan.devices.find(({ element }) => element === device.element);
    if (!planned?.address) return undefined;
    selected.add(planned.key);
    const { bus, slot, function: fn } = planned.address;
    const id = `${bus}:${slot}`;
    const entry = slots.get(id) ?? { address: { bus, slot }, members: [], shared: false };
    entry.members.push({ device, key: planned.key, function: fn });
    slots.set(id, entry);
  }
  for (const { key, address } of plan.devices) {
    if (!address || selected.has(key)) continue;
    const entry = slots.get(`${address.bus}:${address.slot}`);
    if (entry) entry.shared = true;
  }
  return [...slots.values()];
}

/** Slots whose devices are functions of the same host device, together. */
export function byHostSlot(slots: readonly GuestSlot[]): GuestSlot[][] {
  const groups: GuestSlot[][] = [];
  for (const slot of slots) {
    const source = slot.members[0]!.device.source;
    const group = groups.find(([first]) => {
      const other = first!.members[0]!.device.source;
      return source !== undefined && other !== undefined && sameSlot(source, other);
    });
    if (group) group.push(slot);
    else groups.push([slot]);
  }
  return groups;
}
