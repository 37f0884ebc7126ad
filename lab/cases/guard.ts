import { setTimeout } from 'node:timers/promises';
import { controlAttempt } from '../accesses/legitimate.js';
import { unassignedAttempts } from '../accesses/unassigned.js';
import type { DeviceFacts, GuestWrite } from '../exposures/exposure.js';
import powerManagement from '../exposures/power-management.js';
import { hostFor } from '../outside/host-for.js';
import { domainXml } from '../outside/lab-domain.js';
import { DIRECT, type LabHost } from '../outside/lab-host.js';
import { expectPlanned } from '../outside/observe-column.js';
import { PausedGuest } from '../outside/paused-guest.js';
import type { CaseResult, LabCase, LabContext } from './lab-case.js';

/** Domains for which the policy has rules; the second one leaves power management open. */
const ALL_CLOSED = 'lab-guard-all';
const STANDARD = 'lab-guard-standard';

/** The service promises 10 seconds on a node; processors that are emulated beside other work take longer. */
const BACK_WITHIN_MS = 90_000;
/** Times that libvirt is started for it. */
const AUTOSTARTS = 4;
const PINS = '/sys/fs/bpf/vfio-warden';

export default [
  {
    name: 'guard-two-vms',
    summary: 'two VMs at once whose devices have different rules: each gets its own',
    byDefault: false,
    run: (context) =>
      onGuard(context, async (host, devices, result) => {
        const [nvme, nic] = named(devices, 'nvme', 'e1000e');
        await withGuest(host, ALL_CLOSED, [nvme!], (strict) =>
          withGuest(host, STANDARD, [nic!], async (standard) => {
            await expectClosed(host, strict, nvme!, result, 'the strict VM, unassigned bytes');
            await expectClosed(host, standard, nic!, result, 'the other VM, unassigned bytes');
            const power = (facts: DeviceFacts) => powerManagement.attempts(facts)[0]!.writes[0]!;
            await expectWrites(host, strict, nvme!, [power(nvme!)], false, result, 'the strict VM, PMCSR');
            await expectWrites(host, standard, nic!, [power(nic!)], true, result, 'the other VM, PMCSR');
            await expectClosed(host, strict, nvme!, result, 'the strict VM again, unassigned bytes');
          }),
        );
      }),
  },
  {
    name: 'guard-killed',
    summary: 'service and loader killed with -9 while a VM runs: what was blocked stays blocked',
    byDefault: false,
    run: (context) =>
      onGuard(context, async (host, devices, result) => {
        const [nvme] = named(devices, 'nvme');
        await withGuest(host, ALL_CLOSED, [nvme!], async (guest) => {
          await expectClosed(host, guest, nvme!, result, 'before');
          await host.agent.spawn(['/usr/sbin/warden-guard', 'events'], '/tmp/guard-events');
          // An attach that is cut off in the middle must not have taken anything away.
          await host.agent.spawn(['/usr/sbin/warden-guard', 'upgrade'], '/tmp/guard-upgrade');
          await host.agent.run(['sh', '-c', 'sleep 0.5; pkill -9 warden-guard; exit 0']);
          await host.killService();
          await expectClosed(host, guest, nvme!, result, 'service, loader and events killed');
          await host.restartService();
          await untilGuarded(host);
          await expectClosed(host, guest, nvme!, result, 'the service is back');
        });
      }),
  },
  {
    name: 'guard-pin-removed',
    summary:
      'a pin is removed under a running VM: noticed, attached again, and the gap is in the history of the VM',
    byDefault: false,
    run: (context) =>
      onGuard(context, async (host, devices, result) => {
        const [nvme] = named(devices, 'nvme');
        await withGuest(host, ALL_CLOSED, [nvme!], async (guest) => {
          await expectClosed(host, guest, nvme!, result, 'before');
          const gaps = await gapsOf(host, guest.name);
          const removed = Date.now();
          await host.agent.run(['rm', `${PINS}/link_access`]);
          await untilTrue(async () => (await gapsOf(host, guest.name)) > gaps, 'a guard-gap event');
          const seconds = ((Date.now() - removed) / 1000).toFixed(0);
          result.seen.push(`noticed, attached again and told in the history of the VM after ${seconds} s`);
          await expectClosed(host, guest, nvme!, result, 'after that');
        });
      }),
  },
  {
    name: 'guard-vfio-reloaded',
    summary: 'the modules of vfio are unloaded and loaded again: refused, or blocked all the same',
    byDefault: false,
    run: (context) =>
      onGuard(context, async (host, devices, result) => {
        const [nvme] = named(devices, 'nvme');
        const { code, err } = await host.agent.exec(['modprobe', '-r', 'vfio_pci', 'vfio_pci_core']);
        result.seen.push(`vfio_pci and vfio_pci_core unloaded: ${code === 0 ? 'yes' : err.trim()}`);
        const vfio = await host.agent.exec(['sh', '-c', 'modprobe -r vfio_iommu_type1; rmmod vfio']);
        if (vfio.code === 0) result.failures.push('the module vfio could be unloaded under the guard');
        else result.seen.push(`vfio stays, as the guard holds it: ${vfio.err.trim().split('\n').at(-1)}`);
        await host.agent.run(['modprobe', '-a', 'vfio_iommu_type1', 'vfio-pci']);
        await untilGuarded(host);
        await withGuest(host, ALL_CLOSED, [nvme!], (guest) =>
          expectClosed(host, guest, nvme!, result, 'loaded again'),
        );
      }),
  },
  {
    name: 'guard-autostart',
    summary:
      'a host starts with a VM on autostart, the service comes later: its first access is judged already',
    byDefault: false,
    run: (context) =>
      onGuard(context, async (host, devices, result) => {
        const [nvme] = named(devices, 'nvme');
        await defineGuest(host, ALL_CLOSED, [nvme!]);
        await host.virsh(['autostart', ALL_CLOSED], DIRECT);
        try {
          await host.stopUserSpace();
          // As the units order it: the guard, then the service and its hook, then libvirt, which starts its domains.
          await host.agent.run(['warden-guard', 'attach', '--mode', 'enforce'], { timeout: 300 });
          const before = await judged(host, nvme!.bdf);
          await host.startUserSpace();
          await untilStarted(host, ALL_CLOSED);
          const atStart = (await judged(host, nvme!.bdf)) - before;
          result[atStart > 0 ? 'seen' : 'failures'].push(
            `${atStart} accesses of QEMU were judged by the time that its domain was up`,
          );
          const guest = await PausedGuest.of(host, ALL_CLOSED, DIRECT);
          await expectClosed(host, guest, nvme!, result, 'the first writes of the guest');
        } finally {
          await endGuest(host, ALL_CLOSED);
        }
      }),
  },
] satisfies LabCase[];

/** Runs a case on a host whose guard is in force; where there is none, that is what the case shows. */
async function onGuard(
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

async function defineGuest(host: LabHost, name: string, devices: readonly DeviceFacts[]): Promise<void> {
  const xml = domainXml({ name, devices, qemuArguments: PausedGuest.qemuArguments(name) });
  await host.agent.writeFile(`/tmp/${name}.xml`, xml);
  await host.virsh(['define', `/tmp/${name}.xml`]);
}

async function endGuest(host: LabHost, name: string): Promise<void> {
  await host.virsh(['destroy', name], DIRECT).catch(() => undefined);
  await host.virsh(['undefine', name], DIRECT).catch(() => undefined);
}

async function withGuest(
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
async function expectClosed(
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
async function expectWrites(
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

/** Where the hook's service, which has just started, takes more than its 2 seconds, the start is refused: libvirt tries anew. */
async function untilStarted(host: LabHost, name: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const state = (await host.virsh(['domstate', name], DIRECT)).trim();
    if (state !== 'shut off') return;
    if (attempt === AUTOSTARTS) throw new Error(`the domain on autostart is ${state}`);
    await host.restartLibvirt();
  }
}

async function untilGuarded(host: LabHost): Promise<void> {
  const why = await host.untilCapable(({ kernelGuard }) => kernelGuard);
  if (why !== undefined) throw new Error(`the guard is not in force again: ${why}`);
}

async function untilTrue(look: () => Promise<boolean>, what: string): Promise<void> {
  for (const deadline = Date.now() + BACK_WITHIN_MS; ;) {
    if (await look().catch(() => false)) return;
    if (Date.now() > deadline) throw new Error(`${what} did not come within ${BACK_WITHIN_MS / 1000} s`);
    await setTimeout(500);
  }
}

async function gapsOf(host: LabHost, domain: string): Promise<number> {
  const { events } = (await host.api(`/v1/domains/${domain}/explanation`)) as { events?: { kind: string }[] };
  return (events ?? []).filter(({ kind }) => kind === 'guard-gap').length;
}

async function judged(host: LabHost, bdf: string): Promise<number> {
  const status = JSON.parse(await host.agent.run(['warden-guard', 'status'])) as {
    devices?: { device: string; judged: number }[];
  };
  return status.devices?.find(({ device }) => device === bdf)?.judged ?? 0;
}

function named(devices: readonly DeviceFacts[], ...names: string[]): DeviceFacts[] {
  return names.map((name) => devices.find(({ device }) => device.name === name)!);
}
