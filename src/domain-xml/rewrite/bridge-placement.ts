import { assignPciAddresses, type AddressPlan, type CertainPlan } from '../addressing/address-plan.js';
import type { HostKnowledge } from '../addressing/connect-flags.js';
import type { AssignedDevice } from '../assigned-devices.js';
import type { DomainDocument } from '../domain-document.js';
import { appendChild, insertBefore, replaceElement } from '../insertion.js';
import type { PciAddress } from '../pci-address.js';
import { childNamed, type XmlElement } from '../xml-reader.js';
import { newElement, renderElement } from '../new-element.js';
import { addressElement, type DocumentEdit, type Move } from './document-edit.js';
import { editedTree, type TreeChange } from './edited-tree.js';
import { candidateLayouts, existingBridges, type Bridge, type Layout } from './bridge-layouts.js';
import { guestSlots } from './guest-slots.js';
import { movesBetween, type KeyedMove } from './moves.js';

/** A NIC's name and a disk's path in the guest follow their address: these never move. */
const NEVER_MOVED = new Set(['interface', 'disk']);

export type Placement = { ok: true; edits: DocumentEdit[]; moves: Move[] } | { ok: false; reason: string };

/**
 * What is written out of libvirt's own choices, so that the devices that leave their places take nothing with them: the
 * controllers that it would add, the addresses of the devices that would move. As little as suffices.
 */
interface Support {
  /** `parents`: those that new bridges are plugged into; they are written out in any case. */
  controllers: 'parents' | 'all';
  addresses: boolean;
}

const SUPPORTS: readonly Support[] = [
  { controllers: 'parents', addresses: false },
  { controllers: 'parents', addresses: true },
  { controllers: 'all', addresses: false },
  { controllers: 'all', addresses: true },
];

/** What the address model is shown of a placement is never left out. */
type PlacementEdit = DocumentEdit & { change: TreeChange };

type Attempt = { ok: true; edits: PlacementEdit[]; moves: KeyedMove[] } | { ok: false; reason: string };

/**
 * Puts devices behind conventional bridges so that nothing else moves. Libvirt gives addresses in a fixed order: a
 * device that leaves its place lets those after it move up, unless a bridge takes exactly that place. Layouts are tried
 * against the model of libvirt's assignment, and the first that moves nothing is taken: bridges that are there already,
 * one bridge for all, one for each host slot; then the same with libvirt's own choices for the others written out.
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

  let best: Attempt = { ok: false, reason: 'there is no place for a bridge' };
  const layouts = candidateLayouts(slots, original);
  for (const support of SUPPORTS) {
    for (const layout of layouts) {
      const attempt = tryLayout(document, layout, original, host, support);
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

/** Puts devices that are plugged in on bridges that the domain has: it can get no new ones, and nothing else may move. */
export function placeOnPresentBridges(
  document: DomainDocument,
  devices: readonly AssignedDevice[],
  original: AddressPlan,
  host: HostKnowledge,
): Placement {
  if (!original.certain) {
    return { ok: false, reason: `guest addresses cannot be predicted: ${original.reasons.join('; ')}` };
  }
  const slots = guestSlots(devices, original);
  const layout = slots && existingBridges(slots, original);
  if (!layout) {
    return {
      ok: false,
      reason: 'the domain has no conventional bridge with a free slot to plug the device into',
    };
  }
  const attempt = tryLayout(document, layout, original, host, { controllers: 'parents', addresses: false });
  if (!attempt.ok || attempt.moves.length === 0) return attempt;
  return { ok: false, reason: 'it would move other devices' };
}

function tryLayout(
  document: DomainDocument,
  layout: Layout,
  original: CertainPlan,
  host: HostKnowledge,
  support: Support,
): Attempt {
  const meant = new Set(layout.targets.flatMap(({ slot }) => slot.members.map(({ key }) => key)));
  const edits = layoutEdits(document, layout);
  edits.push(...addedControllers(document, original, layout, support));
  const pinned = new Set<string>();
  for (;;) {
    const after = assignPciAddresses(
      editedTree(
        document,
        edits.map(({ change }) => change),
      ),
      host,
    );
    if (!after.certain) return { ok: false, reason: after.reasons.join('; ') };
    const moves = movesBetween(original, after, meant);
    const loose = moves.filter(({ key }) => !pinned.has(key));
    const pins = support.addresses ? pin(document, original, loose) : [];
    if (pins.length === 0) return { ok: true, edits, moves };
    // A pinned device leaves a place to others, which may then move: pin those, too. Each round pins at least one more.
    edits.push(...pins);
    for (const { key } of loose) pinned.add(key);
  }
}

function layoutEdits(document: DomainDocument, { newBridges, targets }: Layout): PlacementEdit[] {
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
): PlacementEdit {
  const element = newElement('controller', { type: 'pci', index: String(index), model }, [
    addressElement(address),
  ]);
  return {
    kind: 'add-controller',
    target: `controller pci ${index}`,
    summary: `${model} ${index} is added on bus ${address.bus}, slot ${address.slot}`,
    splices: [insertBefore(text, before, renderElement(element))],
    change: { kind: 'add', element },
  };
}

function setGuestAddress(
  document: DomainDocument,
  device: AssignedDevice,
  address: PciAddress,
  multifunction: boolean,
  bridge: Bridge,
): PlacementEdit {
  return {
    kind: 'set-address',
    target: `${device.element.name} ${device.source ?? device.reference ?? device.place}`,
    summary: `plugged into ${bridge.model} ${bridge.index}, slot ${address.slot}, function ${address.function}`,
    ...writeAddress(document, device.element, address, multifunction),
  };
}

/** What puts a device at an address: the splice and the change of the tree. */
function writeAddress(
  { text }: DomainDocument,
  device: XmlElement,
  address: PciAddress,
  multifunction: boolean,
): Pick<PlacementEdit, 'splices' | 'change'> {
  const element = addressElement(address, multifunction);
  const lines = renderElement(element);
  const present = childNamed(device, 'address');
  return {
    splices: [present ? replaceElement(present, lines.join('')) : appendChild(text, device, lines)],
    change: { kind: 'set-address', device, address: element },
  };
}

/**
 * Controllers that libvirt would add, as edits. Those that a new bridge is plugged into must be written out: libvirt keeps a
 * document's controllers in order and appends the ones that it adds (`virDomainDefAddController`), QEMU is given them in
 * that order, and a bridge before its port does not start. All of them help where libvirt would choose others: it adds
 * only ports by itself where a higher index is given.
 */
function addedControllers(
  document: DomainDocument,
  original: CertainPlan,
  { newBridges, targets }: Layout,
  support: Support,
): PlacementEdit[] {
  const first = targets[0]!.slot.members[0]!.device.element;
  const parents = new Set(newBridges.map(({ address }) => address!.bus));
  return original.controllers
    .filter(
      ({ element, address, index }) =>
        address && !element && (support.controllers === 'all' || parents.has(index)),
    )
    .map(({ model, index, address }) => addController(document, first, model, index, address!));
}

/** The addresses that libvirt would choose for devices that would move. Of those it adds by itself only the balloon can follow. */
function pin(document: DomainDocument, original: CertainPlan, moves: readonly KeyedMove[]): PlacementEdit[] {
  return moves.flatMap(({ key, kind }): PlacementEdit[] => {
    const { element, address } = original.devices.find((device) => device.key === key)!;
    if (!address) return [];
    if (!element) return kind === 'memballoon' ? [addMemballoon(document, address)] : [];
    if (childNamed(element, 'address')) return [];
    return [
      {
        kind: 'set-address',
        target: key.replaceAll(':', ' '),
        summary: 'kept where libvirt would have put it',
        ...writeAddress(document, element, address, false),
      },
    ];
  });
}

/** The balloon that libvirt adds to a domain without one (`qemuDomainDefAddDefaultDevices`), at the place it would give it. */
function addMemballoon({ text, devices }: DomainDocument, address: PciAddress): PlacementEdit {
  const element = newElement('memballoon', { model: 'virtio' }, [addressElement(address)]);
  return {
    kind: 'add-device',
    target: 'memballoon 0',
    summary: 'written out where libvirt would have put it',
    splices: [appendChild(text, devices!, renderElement(element))],
    change: { kind: 'add', element },
  };
}
