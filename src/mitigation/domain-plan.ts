import { assignPciAddresses } from '../domain-xml/addressing/address-plan.js';
import { isConventionalBus } from '../domain-xml/addressing/pci-topology.js';
import type { AssignedDevice } from '../domain-xml/assigned-devices.js';
import { placeBehindBridges, placeOnPresentBridges } from '../domain-xml/rewrite/bridge-placement.js';
import type { DocumentEdit, Move } from '../domain-xml/rewrite/document-edit.js';
import { convertToI440fx } from '../domain-xml/rewrite/i440fx-conversion.js';
import { movesBetween } from '../domain-xml/rewrite/moves.js';
import { applySplices } from '../domain-xml/splice.js';
import { readXml } from '../domain-xml/xml-reader.js';
import { sameSlot } from '../pci/bdf.js';
import { planDevice, type DevicePlan } from './device-plan.js';
import type { MechanismColumn, MechanismName } from './mechanism.js';
import type { DeviceIntake, GivenByOthers, PlanContext } from './plan-context.js';
import { planFilter } from './qemu-filter/filter-plan.js';

const NOTHING_GIVEN: GivenByOthers = { converted: false, moved: new Set() };

export interface GroupPlan {
  plans: Map<AssignedDevice, DevicePlan>;
  edits: DocumentEdit[];
  /** Other devices whose guest address changes because of the edits. */
  moves: Move[];
  /** Devices that move only because another function of their slot does. */
  movedAlong: AssignedDevice[];
  /** Whether the whole domain becomes an i440fx machine. */
  converted: boolean;
}

/**
 * Plans for devices that are changed together. A mechanism that changes the document is first planned for each device,
 * then tried for all at once; where that fails it is excluded, with the reason, and the rest is planned again.
 *
 * @param companions assigned devices of the domain that move along when a function of their slot moves
 */
export function planGroup(
  context: PlanContext,
  intakes: readonly DeviceIntake[],
  companions: readonly AssignedDevice[],
  given: GivenByOthers = NOTHING_GIVEN,
): GroupPlan {
  if (intakes.length === 0) {
    return { plans: new Map(), edits: [], moves: [], movedAlong: [], converted: given.converted };
  }
  const excluded = new Map<MechanismName, string>(
    context.plugging ? [['i440fx', 'a device that is plugged in cannot change the machine']] : [],
  );
  // Each round either succeeds or excludes one more mechanism that changes the document.
  for (;;) {
    const group = planHardware(context, intakes, companions, given, excluded);
    const filter = planFilter(context, intakes, group.plans);
    if (filter.ok) return { ...group, edits: [...group.edits, ...filter.edits] };
    excluded.set('qemu-config-filter', filter.reason);
  }
}

/** What changes the guest's hardware; a mechanism that fails for the domain is added to `excluded`. */
function planHardware(
  context: PlanContext,
  intakes: readonly DeviceIntake[],
  companions: readonly AssignedDevice[],
  given: GivenByOthers,
  excluded: Map<MechanismName, string>,
): GroupPlan {
  for (;;) {
    const plans = new Map(
      intakes.map((intake) => [intake.device, planOne(context, intake, excluded, given)]),
    );
    const using = (name: MechanismName) =>
      [...plans].filter(([, plan]) => plan.mechanisms.some((mechanism) => mechanism.name === name));

    if (using('i440fx').length > 0) {
      const conversion = convert(context);
      if (conversion.ok) {
        // With the machine, extended config space closes for every device: what else a device needs is planned anew.
        for (const intake of intakes) {
          const chosen = plans.get(intake.device)!.mechanisms.some(({ name }) => name === 'i440fx');
          if (!chosen)
            plans.set(intake.device, planOne(context, intake, excluded, { ...given, converted: true }));
        }
        return { plans, edits: conversion.edits, moves: conversion.moves, movedAlong: [], converted: true };
      }
      excluded.set('i440fx', conversion.reason);
      continue;
    }

    const movers = using('conventional-bus').map(([device]) => device);
    if (movers.length === 0)
      return { plans, edits: [], moves: [], movedAlong: [], converted: given.converted };
    const movedAlong = companions.filter(
      (device) =>
        !movers.includes(device) &&
        device.plugged &&
        device.carrier !== 'qemu-argument' &&
        movers.some(({ source }) => source && device.source && sameSlot(source, device.source)),
    );
    const together = companions.filter((device) => movers.includes(device) || movedAlong.includes(device));
    const { document, addresses, hostKnowledge } = context;
    const placed = context.plugging
      ? placeOnPresentBridges(document, together, addresses, hostKnowledge)
      : placeBehindBridges(document, together, addresses, hostKnowledge);
    if (placed.ok) {
      const moved = new Set(movedAlong);
      for (const intake of intakes.filter(({ device }) => moved.has(device))) {
        plans.set(intake.device, planOne(context, intake, excluded, { ...given, moved }));
      }
      return { plans, edits: placed.edits, moves: placed.moves, movedAlong, converted: false };
    }
    excluded.set('conventional-bus', placed.reason);
  }
}

function planOne(
  context: PlanContext,
  intake: DeviceIntake,
  excluded: ReadonlyMap<MechanismName, string>,
  given: GivenByOthers,
): DevicePlan {
  const { document, host, family } = context;
  return planDevice({
    context: { document, host, family, device: intake.device, function: intake.function },
    findings: intake.findings,
    needs: intake.needs,
    required: intake.required,
    allowed: intake.allowed,
    closeReads: intake.closeReads,
    changeRefused: intake.changeRefused,
    excluded,
    inEffect: inEffect(context, intake.device, given),
  });
}

/** What the domain's own hardware, or what is planned for others, closes for a device already. */
function inEffect(
  { family, addresses }: PlanContext,
  device: AssignedDevice,
  { converted, moved }: GivenByOthers,
): MechanismColumn[] {
  if (converted || family === 'i440fx') return ['i440fx'];
  if (moved.has(device)) return ['conventional-bus'];
  if (!addresses.certain) return [];
  const bus = addresses.devices.find(({ element }) => element === device.element)?.address?.bus;
  return bus !== undefined && isConventionalBus(addresses.controllers, bus) ? ['conventional-bus'] : [];
}

type Conversion = { ok: true; edits: DocumentEdit[]; moves: Move[] } | { ok: false; reason: string };

function convert({ document, addresses, hostKnowledge }: PlanContext): Conversion {
  const edits = convertToI440fx(document);
  const edited = applySplices(
    document.text,
    edits.flatMap(({ splices }) => splices),
  );
  const after = assignPciAddresses(readXml(edited), hostKnowledge);
  if (!addresses.certain || !after.certain) {
    const reasons = [addresses, after].flatMap((plan) => (plan.certain ? [] : plan.reasons));
    return { ok: false, reason: `guest addresses cannot be predicted: ${reasons.join('; ')}` };
  }
  return { ok: true, edits, moves: movesBetween(addresses, after, new Set()) };
}
