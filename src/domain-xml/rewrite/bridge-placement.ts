import { assignPciAddresses, type AddressPlan } from '../addressing/address-plan.js';
import type { HostKnowledge } from '../addressing/connect-flags.js';
import type { AssignedDevice } from '../assigned-devices.js';
import type { DomainDocument } from '../domain-document.js';
import { appendChild, insertBefore, replaceElement } from '../insertion.js';
import type { PciAddress } from '../pci-address.js';
import { applySplices } from '../splice.js';
import { childNamed, readXml, type XmlElement } from '../xml-reader.js';
import { renderPciAddress, type DocumentEdit, type Move } from './document-edit.js';
import { byHostSlot, guestSlots, type CertainPlan, type GuestSlot } from './guest-slots.js';
import { movesBetween, type KeyedMove } from './moves.js';

/** Slots of a `pcie-to-pci-bridge` that devices can use; slot 0 belongs to its hot-plug controller. */
const BRIDGE_SLOTS = Array.from({ length: 31 }, (_, index) => index + 1);
/** `virDomainControllerDefValidate` refuses more. */
const MAX_CONTROLLER_INDEX = 255;
/** A NIC's name and a disk's path in the guest follow their address: these never move. */
const NEVER_MOVED = new Set(['interface', 'disk']);

export type Placement = { ok: true; edits: DocumentEdit[]; moves: Move[] } | { ok: false; reason: string };

interface Bridge {
  model: string;
  index: number;
  /** Where a new bridge goes; absent for one that the domain has already. */
  address?: PciAddress;
  freeSlots: number[];
}

/** Where each guest slot goes. */
interface Layout {
  newBridges: Bridge[];
  targets: { slot: GuestSlot; bridge: Bridge; at: number }[];
}

type Attempt = { ok: true; edits: DocumentEdit[]; moves: KeyedMove[] } | { ok: false; reason: string };

/**
 * Puts devices behind conventional bridges so that nothing else moves. Libvirt gives addresses in a fixed order: a
 * device that leaves its place lets those after it move up, unless a bridge takes exactly that place. Layouts are tried
 * against the model of libvirt's assignment, and the first that moves nothing is taken: bridges that are there already,
 * one bridge for all, one for each host slot; then the same with the addresses and controllers that libvirt would have
 * chosen for the others written out.
 *
 * @param devices plugged into the guest; all assigned functions of a host slot together
 */
export function placeBehindBridges(
  document: DomainDocument,
  devices: readonly AssignedDevice[],
  original: AddressPlan,
  host: HostKnowledge,
): Placement {
  if (!original.certain) {
    return { ok: false, reason: `guest addresses cannot be predicted: ${original.reasons.join('; ')}` };
  }
  const slots = guestSlots(devices, original);
  if (!slots) return { ok: false, reason: 'libvirt would give one of the devices no PCI address' };

  const layouts = [
    existingBridges(slots, original),
    sharedBridges(slots, original),
    ownBridges(slots, original),
  ];
  let best: Attempt = { ok: false, reason: 'there is no place for a bridge' };
  for (const writeOut of [false, true]) {
    for (const layout of layouts) {
      if (!layout) continue;
      const attempt = tryLayout(document, layout, original, host, writeOut);
      if (attempt.ok && attempt.moves.length === 0) return attempt;
      if (attempt.ok && (!best.ok || attempt.moves.length < best.moves.length)) best = attempt;
      if (!attempt.ok && !best.ok) best = attempt;
    }
  }
  const forbidden = best.ok && best.moves.find(({ kind }) => NEVER_MOVED.has(kind));
  if (forbidden)
    return {
      ok: false,
      reason: `it would move ${forbidden.device} from ${forbidden.from} to ${forbidden.to}`,
    };
  return best;
}

/** Everything behind bridges that the domain has already. */
function existingBridges(slots: readonly GuestSlot[], plan: CertainPlan): Layout | undefined {
  const bridges = plan.controllers
    .filter(({ model, index }) => model === 'pcie-to-pci-bridge' && controllerElement(plan, index))
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

function tryLayout(
  document: DomainDocument,
  layout: Layout,
  original: CertainPlan,
  host: HostKnowledge,
  writeOut: boolean,
): Attempt {
  const edits = layoutEdits(document, layout);
  const meant = new Set(layout.targets.flatMap(({ slot }) => slot.members.map(({ key }) => key)));
  if (writeOut) edits.push(...writtenOut(document, original, meant, layout));
  const after = simulate(document, edits, host);
  if (!after.certain) return { ok: false, reason: after.reasons.join('; ') };
  return { ok: true, edits, moves: movesBetween(original, after, meant) };
}

/** What libvirt would make of the edited document. */
export function simulate(
  document: DomainDocument,
  edits: readonly DocumentEdit[],
  host: HostKnowledge,
): AddressPlan {
  const edited = applySplices(
    document.text,
    edits.flatMap(({ splices }) => splices),
  );
  return assignPciAddresses(readXml(edited), host);
}

function layoutEdits(document: DomainDocument, { newBridges, targets }: Layout): DocumentEdit[] {
  const first = targets[0]!.slot.members[0]!.device.element;
  return [
    ...newBridges.map((bridge) =>
      addController(document, first, bridge.model, bridge.index, bridge.address!),
    ),
    ...targets.flatMap(({ slot, bridge, at }) =>
      slot.members.map(({ device, function: fn }) => {
        const several = slot.members.length > 1;
        const address = { domain: 0, bus: bridge.index, slot: at, function: several ? fn : 0 };
        return setGuestAddress(document, device, address, several && fn === 0, bridge);
      }),
    ),
  ];
}

function addController(
  { text }: DomainDocument,
  before: XmlElement,
  model: string,
  index: number,
  address: PciAddress,
): DocumentEdit {
  return {
    kind: 'add-controller',
    target: `controller pci ${index}`,
    summary: `${model} ${index} is added on bus ${address.bus}, slot ${address.slot}`,
    splices: [
      insertBefore(text, before, [
        `<controller type='pci' index='${index}' model='${model}'>`,
        `  ${renderPciAddress(address)}`,
        '</controller>',
      ]),
    ],
  };
}

function setGuestAddress(
  document: DomainDocument,
  device: AssignedDevice,
  address: PciAddress,
  multifunction: boolean,
  bridge: Bridge,
): DocumentEdit {
  return {
    kind: 'set-address',
    target: `${device.element.name} ${device.source ?? device.reference ?? device.place}`,
    summary: `plugged into ${bridge.model} ${bridge.index}, slot ${address.slot}, function ${address.function}`,
    splices: [writeAddress(document, device.element, address, multifunction)],
  };
}

function writeAddress(
  { text }: DomainDocument,
  element: XmlElement,
  address: PciAddress,
  multifunction: boolean,
) {
  const rendered = renderPciAddress(address, multifunction);
  const present = childNamed(element, 'address');
  return present ? replaceElement(present, rendered) : appendChild(text, element, [rendered]);
}

/**
 * The controllers and addresses that libvirt would choose, as edits, so that the devices which leave their places take
 * nothing with them. Devices that libvirt adds by itself have no element to write an address into.
 */
function writtenOut(
  document: DomainDocument,
  original: CertainPlan,
  meant: ReadonlySet<string>,
  layout: Layout,
): DocumentEdit[] {
  const first = layout.targets[0]!.slot.members[0]!.device.element;
  const controllers = original.controllers
    .filter(({ index, address }) => address && !controllerElement(original, index))
    .map(({ model, index, address }) => addController(document, first, model, index, address!));
  const addresses = original.devices
    .filter(
      ({ key, element, address }) => element && address && !meant.has(key) && !childNamed(element, 'address'),
    )
    .map(({ key, element, address }): DocumentEdit => ({
      kind: 'set-address',
      target: key.replaceAll(':', ' '),
      summary: 'kept where libvirt would have put it',
      splices: [writeAddress(document, element!, address!, false)],
    }));
  return [...controllers, ...addresses];
}

/** The element of a PCI controller; undefined for one that libvirt adds by itself. */
function controllerElement(plan: CertainPlan, index: number): XmlElement | undefined {
  return plan.devices.find(({ key }) => key === `controller:pci:${index}`)?.element;
}
