import { setTimeout } from 'node:timers/promises';
import { controlAttempt } from '../accesses/legitimate.js';
import { unassignedAttempts } from '../accesses/unassigned.js';
import type { CaseResult, LabContext } from '../cases/lab-case.js';
import type { DeviceFacts, GuestWrite } from '../exposures/exposure.js';
import { hostFor } from './host-for.js';
import { domainXml } from './lab-domain.js';
import { DIRECT, PROXY, type LabHost } from './lab-host.js';
import { expectPlanned } from './observe-column.js';
import { PausedGuest } from './paused-guest.js';

/** Milliseconds. */
const WITHIN_MS = 90_000;

/** Runs a case on a host whose guard is in force; where there is none, that is what the case shows. */
export async function onGuard(
  { guarded, mechanisms, demanded }: LabContext,
  work: (host: LabHost, devices: readonly DeviceFacts[], result: CaseResult) => Promise<void>,
): Promise<CaseResult> {
  const result: CaseResult = { seen: [], failures: [] };
  const mechanism = mechanisms.find(({ column }) => column === 'kernel-guard');
  const ready = mechanism ? await hostFor(mechanism, guarded) : 'its column was not chosen';
  if (typeof ready === 'string') {
    result[demanded.has('kernel-guard') ? 'failures' : 'seen'].push(`not run: ${ready}`);
    return result;
  }
  try {
    await work(ready.host, ready.devices, result);
  } catch (error) {
    result.failures.push((error as Error).message);
  }
  return result;
}

export async function defineGuest(
  host: LabHost,
  name: string,
  devices: readonly DeviceFacts[],
  uri: string = PROXY,
): Promise<void> {
  const xml = domainXml({ name, devices, qemuArguments: PausedGuest.qemuArguments(name) });
  await host.agent.writeFile(`/tmp/${name}.xml`, xml);
  await host.virsh(['define', `/tmp/${name}.xml`], uri);
}

export async function endGuest(host: LabHost, name: string): Promise<void> {
  await host.virsh(['destroy', name], DIRECT).catch(() => undefined);
  await host.virsh(['undefine', name], DIRECT).catch(() => undefined);
}

export async function withGuest(
  host: LabHost,
  name: string,
  devices: readonly DeviceFacts[],
  work: (guest: PausedGuest) => Promise<void>,
): Promise<void> {
  await defineGuest(host, name, devices);
  try {
    await host.start(name, { paused: true });
    await expectPlanned(host, name, ['kernel-guard']);
    await work(await PausedGuest.of(host, name));
  } finally {
    await endGuest(host, name);
  }
}

/** Writes to bytes of no capability, in both parts of config space. */
export async function expectClosed(
  host: LabHost,
  guest: PausedGuest,
  facts: DeviceFacts,
  result: CaseResult,
  when: string,
): Promise<void> {
  const attempts = unassignedAttempts(facts.layout, 0x40, 0x1000);
  const writes = attempts.flatMap(({ writes }) => writes);
  await expectWrites(host, guest, facts, writes, false, result, when);
}

/** A write that must arrive goes before and after: without it nothing was shown. */
export async function expectWrites(
  host: LabHost,
  guest: PausedGuest,
  { bdf, device }: DeviceFacts,
  writes: readonly GuestWrite[],
  arrive: boolean,
  result: CaseResult,
  when: string,
): Promise<void> {
  const [first, last] = [controlAttempt(0x5c), controlAttempt(0xc5)].map(({ writes }) => writes[0]!);
  host.machine.hardware.take();
  for (const write of [first!, ...writes, last!]) await guest.write(bdf, write);
  const seen = host.machine.hardware.takeWrites().filter(({ address }) => bdf.endsWith(address));
  const controls = [first!, last!].filter((control) =>
    seen.some(({ offset, value }) => offset === control.offset && (value & 0xff) === control.value),
  );
  const arrived = writes.filter((write) =>
    seen.some(({ offset }) => offset < write.offset + write.size && offset >= write.offset),
  );
  const line = `${when}: ${arrived.length} of ${writes.length} writes reached the ${device.name}`;
  const shown = controls.length === 2 ? line : `${line}; the control writes did not`;
  const right = controls.length === 2 && writes.length > 0 && arrived.length === (arrive ? writes.length : 0);
  result[right ? 'seen' : 'failures'].push(shown);
}

export async function untilGuarded(host: LabHost): Promise<void> {
  const why = await host.untilCapable(({ kernelGuard }) => kernelGuard);
  if (why !== undefined) throw new Error(`the guard is not in force again: ${why}`);
}

export async function untilTrue(look: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + WITHIN_MS; ;) {
    if (await look().catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${WITHIN_MS / 1000} s`);
    await setTimeout(500);
  }
}

export function named(devices: readonly DeviceFacts[], ...names: string[]): DeviceFacts[] {
  return names.map((name) => devices.find(({ device }) => device.name === name)!);
}
