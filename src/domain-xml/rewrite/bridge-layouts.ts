import type { CertainPlan } from '../addressing/address-plan.js';
import type { PciAddress } from '../pci-address.js';
import { byHostSlot, type GuestSlot } from './guest-slots.js';

/** Slots of a `pcie-to-pci-bridge` that devices can use; slot 0 belongs to its hot-plug controller. */
const BRIDGE_SLOTS = Array.from({ length: 31 }, (_, index) => index + 1);
/** `virDomainControllerDefValidate` refuses more. */
const MAX_CONTROLLER_INDEX = 255;

export interface Bridge {
  model: string;
  index: number;
  /** Where a new bridge goes; absent for one that the domain has already. */
  address?: PciAddress;
  freeSlots: number[];
}

/** Where each guest slot goes. */
export interface Layout {
  newBridges: Bridge[];
  targets: { slot: GuestSlot; bridge: Bridge; at: number }[];
}

/** The layouts worth a try, the least change first: bridges that are there, one bridge for all, one for each host slot. */
export function candidateLayouts(slots: readonly GuestSlot[], plan: CertainPlan): Layout[] {
  const shared = sharedBridges(slots, plan);
  // For the functions of one host slot a bridge for all and a bridge for each are the same.
  const own = byHostSlot(slots).length > 1 ? ownBridges(slots, plan) : undefined;
  return [existingBridges(slots, plan), shared, own].filter((layout) => layout !== undefined);
}

/** Everything behind bridges that the domain has already. */
export function existingBridges(slots: readonly GuestSlot[], plan: CertainPlan): Layout | undefined {
  const bridges = plan.controllers
    .filter(({ model, element }) => model === 'pcie-to-pci-bridge' && element)
    .map(({ model, index }) => {
      const taken = new Set(
        plan.devices.filter(({ address }) => address?.bus === index).map(({ address }) => address!.slot),
      );
      return { model, index, freeSlots: BRIDGE_SLOTS.filter((slot) => !taken.has(slot)) };
    });
  return fill(slots, bridges);
}

/** As few new bridges as hold all, each where the first of its devices was. */
function sharedBridges(slots: readonly GuestSlot[], plan: CertainPlan): Layout | undefined {
  const places = byHostSlot(slots).flat();
  const bridges: Bridge[] = [];
  for (let at = 0; at < places.length; at += BRIDGE_SLOTS.length) {
    const bridge = bridgeInPlaceOf(places[at]!, plan, bridges.length);
    if (!bridge) return undefined;
    bridges.push(bridge);
  }
  return fill(places, bridges, bridges);
}

/** A bridge for each host slot, where its first function was. */
function ownBridges(slots: readonly GuestSlot[], plan: CertainPlan): Layout | undefined {
  const layout: Layout = { newBridges: [], targets: [] };
  for (const group of byHostSlot(slots)) {
    const bridge = bridgeInPlaceOf(group[0]!, plan, layout.newBridges.length);
    const filled = bridge && fill(group, [bridge], [bridge]);
    if (!filled) return undefined;
    layout.newBridges.push(...filled.newBridges);
    layout.targets.push(...filled.targets);
  }
  return layout;
}

function fill(slots: readonly GuestSlot[], bridges: Bridge[], newBridges: Bridge[] = []): Layout | undefined {
  const free = bridges.flatMap((bridge) => bridge.freeSlots.map((at) => ({ bridge, at })));
  if (free.length < slots.length) return undefined;
  return { newBridges, targets: slots.map((slot, index) => ({ slot, ...free[index]! })) };
}

/**
 * A new bridge at the address of a guest slot. Its index is above every bus that libvirt makes for the domain, so that
 * no bus is renumbered and the port that libvirt keeps free for hot-plug stays free. On the root bus, where libvirt
 * accepts no `pcie-to-pci-bridge`, it is a `dmi-to-pci-bridge`.
 */
function bridgeInPlaceOf(place: GuestSlot, plan: CertainPlan, number: number): Bridge | undefined {
  if (place.shared) return undefined;
  const index = Math.max(...plan.controllers.map((controller) => controller.index)) + 1 + number;
  if (index > MAX_CONTROLLER_INDEX) return undefined;
  const parent = plan.controllers.find((controller) => controller.index === place.address.bus);
  const onRoot = parent?.model === 'pcie-root';
  return {
    model: onRoot ? 'dmi-to-pci-bridge' : 'pcie-to-pci-bridge',
    index,
    address: { domain: 0, bus: place.address.bus, slot: place.address.slot, function: 0 },
    freeSlots: BRIDGE_SLOTS,
  };
}
