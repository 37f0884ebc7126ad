import type { GuardedDevice, GuardStatus } from '../../src/host/guard/guard-status.js';
import type { DeviceFacts } from '../exposures/exposure.js';
import powerManagement from '../exposures/power-management.js';
import {
  defineGuest,
  endGuest,
  expectClosed,
  expectWrites,
  named,
  onGuard,
  untilGuarded,
  untilTrue,
  withGuest,
} from '../outside/guarded-guests.js';
import { DIRECT, type LabHost } from '../outside/lab-host.js';
import { PausedGuest } from '../outside/paused-guest.js';
import type { LabCase } from './lab-case.js';

/** Domains for which the policy has rules; the second one leaves power management open. */
const ALL_CLOSED = 'lab-guard-all';
const STANDARD = 'lab-guard-standard';

/** Seconds, as the service promises. */
const BACK_WITHIN_S = 10;
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
          const told = (await gapsOf(host, guest.name)).length;
          const clock = await host.agent.run(['sh', '-c', `date +%s%3N; rm ${PINS}/link_access`]);
          await untilTrue(async () => (await gapsOf(host, guest.name)).length > told, 'a guard-gap event');
          // By the host's own clock: to be told of it takes the lab longer than it takes the service to notice.
          const [gap] = await gapsOf(host, guest.name);
          const seconds = (Date.parse(gap!.at) - Number(clock)) / 1000;
          result[seconds <= BACK_WITHIN_S ? 'seen' : 'failures'].push(
            `noticed, attached again and told in the history of the VM after ${seconds.toFixed(1)} s`,
          );
          await expectClosed(host, guest, nvme!, result, 'after that');
        });
      }),
  },
  {
    name: 'guard-released',
    summary: 'a VM stops: its device has no rules any more, and the standard of the host',
    byDefault: false,
    run: (context) =>
      onGuard(context, async (host, devices, result) => {
        const [nvme] = named(devices, 'nvme');
        await withGuest(host, ALL_CLOSED, [nvme!], async () => {
          const rules = await rulesOf(host, nvme!.bdf);
          result[rules === undefined ? 'failures' : 'seen'].push(`while it runs: ${rules ?? 'no rules'}`);
        });
        await untilTrue(async () => (await rulesOf(host, nvme!.bdf)) === undefined, 'a device without rules');
        result.seen.push('after it has stopped: no rules of its own');
        await withGuest(host, ALL_CLOSED, [nvme!], (guest) =>
          expectClosed(host, guest, nvme!, result, 'started anew'),
        );
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

/** Where the hook's service, which has just started, takes more than its 2 seconds, the start is refused: libvirt tries anew. */
async function untilStarted(host: LabHost, name: string): Promise<void> {
  for (let attempt = 1; ; attempt += 1) {
    const state = (await host.virsh(['domstate', name], DIRECT)).trim();
    if (state !== 'shut off') return;
    if (attempt === AUTOSTARTS) throw new Error(`the domain on autostart is ${state}`);
    await host.restartLibvirt();
  }
}

/** The newest first. */
async function gapsOf(host: LabHost, domain: string): Promise<{ at: string }[]> {
  const { events = [] } = (await host.api(`/v1/domains/${domain}/explanation`)) as {
    events?: { kind: string; at: string }[];
  };
  const gaps = events.filter(({ kind }) => kind === 'guard-gap');
  return gaps.toSorted((one, other) => Date.parse(other.at) - Date.parse(one.at));
}

async function judged(host: LabHost, bdf: string): Promise<number> {
  return (await statusOf(host, bdf))?.judged ?? 0;
}

async function rulesOf(host: LabHost, bdf: string): Promise<string | undefined> {
  return (await statusOf(host, bdf))?.rules;
}

async function statusOf(host: LabHost, bdf: string): Promise<GuardedDevice | undefined> {
  const { devices = [] } = JSON.parse(
    await host.agent.run(['warden-guard', 'status']),
  ) as Partial<GuardStatus>;
  return devices.find(({ device }) => device === bdf);
}
