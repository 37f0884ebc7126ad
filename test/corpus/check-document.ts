import type { DecisionBasis } from '../../src/decision/decision.service.js';
import { decide, type DecideResult } from '../../src/decision/decide.js';
import { isConventionalBus, type PciController } from '../../src/domain-xml/addressing/pci-topology.js';
import { readDomain } from '../../src/domain-xml/domain-document.js';
import { readPciAddress } from '../../src/domain-xml/pci-address.js';
import { rulesInForce } from '../../src/domain-xml/qemu-filter.js';
import { undoEdits } from '../../src/domain-xml/undo.js';
import { attribute, childNamed, descend, readXml } from '../../src/domain-xml/xml-reader.js';
import { LocatedError } from '../../src/located-error.js';
import type { MechanismName } from '../../src/mitigation/mechanism.js';
import { dumpedAddresses } from '../libvirt-oracle/dumped-addresses.js';
import type { DefineAnswer } from '../libvirt-oracle/libvirt-oracle.js';
import { forcing } from './forced-policy.js';
import { unintendedChange } from './intended-changes.js';

/** Asks the real libvirt; absent where it is not installed. */
export type Define = (xml: string) => Promise<DefineAnswer>;

export interface Outcome {
  /** Reasons to fail; empty: passed. */
  failures: string[];
  /** Mechanisms that rewrote the document. */
  rewrittenBy: MechanismName[];
  /** Mechanisms that were refused for its devices, with the reason. */
  refused: Map<MechanismName, string>;
  refusedByUs: boolean;
  /** Rewrites whose result the real libvirt was asked about. */
  compared: number;
  /** Of these, by conventional-bus: how many moved some other device (never a NIC or disk). */
  moved: number;
  definedByLibvirt: boolean | undefined;
  assignedDevices: number;
}

const FORCED: readonly MechanismName[] = ['conventional-bus', 'i440fx', 'qemu-config-filter', 'deny'];

/** Puts one document through the whole pipeline, once for each mechanism that can be forced now. */
export async function checkDocument(
  text: string,
  basis: Omit<DecisionBasis, 'policy'>,
  define: Define | undefined,
): Promise<Outcome> {
  const outcome: Outcome = {
    failures: [],
    rewrittenBy: [],
    refused: new Map(),
    refusedByUs: false,
    compared: 0,
    moved: 0,
    definedByLibvirt: undefined,
    assignedDevices: 0,
  };
  const original = await define?.(text);
  outcome.definedByLibvirt = original?.ok;
  for (const mechanism of FORCED) {
    const forced = (xml: string) => decideBy(xml, basis, mechanism);
    let result: DecideResult;
    try {
      result = forced(text);
    } catch (error) {
      if (!(error instanceof LocatedError)) throw error;
      outcome.refusedByUs = true;
      if (original?.ok) outcome.failures.push(`refused by us (${error.message}), accepted by libvirt`);
      return outcome;
    }
    outcome.assignedDevices = result.decision.devices.length;
    const fail = (problem: string) => outcome.failures.push(`${mechanism}: ${problem}`);
    if (mechanism === 'deny') {
      checkDenial(text, result, fail);
      continue;
    }
    for (const { plan } of result.decision.devices) {
      const rejection = plan.rejected.find((rejected) => rejected.mechanism === mechanism);
      if (rejection) outcome.refused.set(mechanism, rejection.reason);
    }
    checkEdits(text, result, forced, fail);
    if (result.decision.edits.length === 0) continue;
    outcome.rewrittenBy.push(mechanism);
    if (!define || !original?.ok) continue;
    const edited = await define(result.xml);
    outcome.compared += 1;
    if (mechanism === 'conventional-bus' && result.decision.moves.length > 0) outcome.moved += 1;
    if (!edited.ok) fail(`libvirt refuses the rewrite: ${edited.error}`);
    else checkWithLibvirt(original.xml, edited.xml, result, mechanism, forced, fail);
  }
  return outcome;
}

function decideBy(xml: string, basis: Omit<DecisionBasis, 'policy'>, mechanism: MechanismName): DecideResult {
  return decide({
    ...basis,
    policy: forcing(mechanism),
    xml,
    evaluatedAt: '2026-01-01T00:00:00Z',
    domainState: 'new',
    guestHardware: 'may-change',
    ranRestricted: [],
    hostdevNetworks: [],
  });
}

type Fail = (problem: string) => void;

function checkDenial(text: string, { decision, xml }: DecideResult, fail: Fail): void {
  if (xml !== text) fail('a refused domain was changed');
  const open = decision.devices.some(({ plan }) => plan.residual.some(({ required }) => required));
  if (open !== (decision.verdict === 'denied')) fail(`verdict is ${decision.verdict}`);
}

/** What holds without libvirt: edits only where intended, the way back, and no second edit. */
function checkEdits(
  text: string,
  { decision, xml }: DecideResult,
  forced: (xml: string) => DecideResult,
  fail: Fail,
): void {
  if (decision.edits.length === 0) {
    if (xml !== text) fail('the document changed without an edit');
    return;
  }
  const unintended = unintendedChange(text, xml, decision.edits as Parameters<typeof unintendedChange>[2]);
  if (unintended !== undefined) fail(`unintended change: ${unintended}`);
  if (undoEdits(xml) !== text) fail('undo does not give the original back');
  if (forced(xml).xml !== xml) fail('a second pass changes the document again');
}

function checkWithLibvirt(
  originalDump: string,
  editedDump: string,
  { decision }: DecideResult,
  mechanism: MechanismName,
  forced: (xml: string) => DecideResult,
  fail: Fail,
): void {
  const before = dumpedAddresses(originalDump);
  const after = dumpedAddresses(editedDump);
  const named = new Map(decision.moves.map(({ device, to }) => [device.replaceAll(' ', ':'), to]));
  const assigned = assignedKeys(originalDump);
  for (const [key, address] of before) {
    if (assigned.has(key) || key.startsWith('model of ') || after.get(key) === address) continue;
    const isController = key.startsWith('controller:pci:');
    if (mechanism === 'conventional-bus' && /^(interface|disk):/.test(key)) {
      fail(`${key} moved from ${address} to ${after.get(key)}`);
    } else if (!named.has(key) && !(mechanism === 'i440fx' && isController)) {
      fail(`${key} moved from ${address} to ${after.get(key)}, and the decision does not say so`);
    }
  }
  for (const key of named.keys()) {
    if (!assigned.has(key) && before.get(key) === after.get(key))
      fail(`${key} is said to move, and does not`);
  }
  const restricted = decision.devices.filter(({ verdict }) => verdict === 'restricted').length;
  const conventional = devicesOnConventionalBuses(editedDump);
  if (mechanism === 'qemu-config-filter') checkFilter(editedDump, fail);
  else if (conventional < restricted)
    fail(`${restricted} devices restricted, ${conventional} on a conventional bus`);
  if (forced(editedDump).xml !== editedDump) fail("a pass over libvirt's own formatting changes it again");
}

/** Libvirt passes on what it was given for QEMU, whatever it makes of its own part of the document. */
function checkFilter(dump: string, fail: Fail): void {
  if (rulesInForce(readXml(dump)) === undefined) fail('libvirt does not keep the filter');
}

/** Keys of the assigned devices, by their position among their kind. */
function assignedKeys(dump: string): Set<string> {
  const devices = readDomain(dump).assignedDevices.map(({ element }) => element);
  const counts = new Map<string, number>();
  const keys = new Set<string>();
  for (const element of descend(readXml(dump), 'devices')!.children) {
    const ordinal = counts.get(element.name) ?? 0;
    counts.set(element.name, ordinal + 1);
    if (devices.some(({ start }) => start === element.start)) keys.add(`${element.name}:${ordinal}`);
  }
  return keys;
}

function devicesOnConventionalBuses(dump: string): number {
  const document = readDomain(dump);
  const controllers = document
    .devices!.children.filter((child) => child.name === 'controller' && attribute(child, 'type') === 'pci')
    .map((element): PciController => {
      const address = childNamed(element, 'address');
      return {
        index: Number(attribute(element, 'index')),
        model: attribute(element, 'model')!,
        ...(address && { address: readPciAddress(address, dump) }),
      };
    });
  return document.assignedDevices.filter(
    ({ guestAddress }) => guestAddress && isConventionalBus(controllers, guestAddress.bus),
  ).length;
}
