import type { Decision } from '../../src/decision/decision.js';
import { controlAttempt, legitimateAttempts } from '../accesses/legitimate.js';
import type { Column, Observation, Subject } from '../evidence/observation.js';
import type { Attempt, DeviceFacts, GuestWrite, LabExposure } from '../exposures/exposure.js';
import type { ConfigWrite } from './hardware-trace.js';
import { domainXml } from './lab-domain.js';
import type { LabHost } from './lab-host.js';
import { PausedGuest } from './paused-guest.js';
import type { LabMechanism } from '../mechanisms/lab-mechanism.js';

/** What a guest can be told to do. */
export interface GuestAccess {
  canAddress(write: GuestWrite): boolean;
  /** @returns what it reads back; undefined where it did nothing */
  write(bdf: string, write: GuestWrite): Promise<number | undefined>;
  /** Ends what a write to a BAR has begun: until then the device's memory can be looked at. */
  closeBars(bdf: string): Promise<void>;
  takeVfioWrites(): Promise<string[]>;
}

/** Rows whose attempts disturb the device for those that follow: tried last, in this order. */
const DISTURBING: readonly Subject[] = ['power-management', 'reset'];

/** Defines and starts a column's domain through vfio-warden, and has its guest try every exposure of every device. */
export async function observeColumn(
  host: LabHost,
  { column, mitigations, emulator }: LabMechanism,
  devices: readonly DeviceFacts[],
  exposures: readonly LabExposure[],
): Promise<Observation[]> {
  const name = `lab-${column}`;
  const xml = domainXml({ name, devices, emulator, qemuArguments: PausedGuest.qemuArguments(name) });
  await host.agent.writeFile(`/tmp/${name}.xml`, xml);
  await host.virsh(['define', `/tmp/${name}.xml`]);
  await host.start(name, { paused: true });
  try {
    await expectPlanned(host, name, mitigations);
    const guest = await PausedGuest.of(host, name);
    return await observeGuest(host, guest, column, devices, exposures);
  } finally {
    await host.virsh(['destroy', name]).catch(() => undefined);
    await host.virsh(['undefine', name]).catch(() => undefined);
  }
}

/** The attempts on each device, between two control writes that have to be seen. */
export async function observeGuest(
  host: LabHost,
  guest: GuestAccess,
  column: Column,
  devices: readonly DeviceFacts[],
  exposures: readonly LabExposure[],
): Promise<Observation[]> {
  const observed: (Observation & Pick<Attempt, 'writes'>)[] = [];
  for (const facts of devices) {
    const attempts: [Subject, Attempt][] = exposures
      .toSorted((a, b) => DISTURBING.indexOf(a.row) - DISTURBING.indexOf(b.row))
      .flatMap(({ row, attempts }) => attempts(facts).map((attempt): [Subject, Attempt] => [row, attempt]));
    const all: [Subject, Attempt][] = [
      ['control', controlAttempt(0x5c)],
      ...legitimateAttempts(facts).map((attempt): [Subject, Attempt] => ['legitimate', attempt]),
      ...attempts,
      ['control', controlAttempt(0xc5)],
    ];
    for (const [subject, attempt] of all) {
      observed.push(await observe(host, guest, facts, { subject, column }, attempt));
    }
  }
  const passed = await guest.takeVfioWrites();
  return observed.map(({ writes, ...observation }) => {
    const { offset, space, value } = writes.at(-1)!;
    if (space !== 'config') return observation;
    const line = `(${devices.find(({ device }) => device.name === observation.device)!.bdf}, @0x${offset.toString(16)}, 0x${value.toString(16)},`;
    return { ...observation, passedByQemu: passed.some((text) => text.includes(line)) };
  });
}

async function observe(
  host: LabHost,
  guest: GuestAccess,
  { device, bdf }: DeviceFacts,
  { subject, column }: Pick<Observation, 'subject' | 'column'>,
  attempt: Attempt,
): Promise<Observation & Pick<Attempt, 'writes'>> {
  const { what, part, writes } = attempt;
  const sent = writes.every((write) => guest.canAddress(write));
  host.machine.hardware.take();
  let readBack: number | undefined;
  if (sent) for (const write of writes) readBack = await guest.write(bdf, write);
  const arrived = sent && (await hasArrived(host, bdf, attempt, host.machine.hardware.takeWrites()));
  if (sent && writes.some(({ space }) => space === 'bar0')) await guest.closeBars(bdf);
  return {
    subject,
    column,
    device: device.name,
    what,
    part,
    sent,
    readBack,
    passedByQemu: undefined,
    arrived,
    writes,
  };
}

async function hasArrived(
  host: LabHost,
  bdf: string,
  { writes, arrival }: Attempt,
  hardware: readonly ConfigWrite[],
): Promise<boolean> {
  const last = writes.at(-1)!;
  const expected = arrival ?? { kind: 'config' as const, offset: last.offset, size: last.size };
  if (expected.kind === 'bar0-memory') {
    const resource = await host.agent.readText(`/sys/bus/pci/devices/${bdf}/resource`);
    return (
      (await host.machine.readMemory(Number(resource.split(' ')[0]) + expected.offset)) === expected.value
    );
  }
  const { offset, size, bits = 0 } = expected;
  return hardware.some(
    (write) =>
      bdf.endsWith(write.address) &&
      // The trace does not tell sizes: what the kernel writes of our bytes begins at most three bytes before them.
      write.offset < offset + size &&
      write.offset > offset - 4 &&
      (bits === 0 ? write.offset >= offset : (shifted(write, offset) & bits) >>> 0 === bits),
  );
}

/** The bits that a write gives the byte at `offset` and those after it. */
function shifted(write: ConfigWrite, offset: number): number {
  return write.offset <= offset
    ? write.value >>> (8 * (offset - write.offset))
    : write.value << (8 * (write.offset - offset));
}

/** Only what vfio-warden has planned and done is observed: a column must not owe its cells to something else. */
export async function expectPlanned(
  host: LabHost,
  name: string,
  mitigations: readonly string[],
): Promise<void> {
  const { record } = (await host.api(`/v1/domains/${name}/explanation`)) as {
    record?: { decision: Pick<Decision, 'devices'> };
  };
  // libvirt itself puts a conventional device behind a bridge; what counts here is what was planned.
  const used = new Set<string>(
    (record?.decision.devices ?? []).flatMap(({ plan }) => plan.mechanisms.map(({ name }) => name)),
  );
  const wanted =
    mitigations.length === 0 ? used.size === 0 : mitigations.some((mitigation) => used.has(mitigation));
  if (!wanted) throw new Error(`${name} was planned with ${[...used].join(', ') || 'nothing'}`);
}
