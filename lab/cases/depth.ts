import { setTimeout } from 'node:timers/promises';
import type { DeviceFacts } from '../exposures/exposure.js';
import { useNvme } from '../outside/device-in-use.js';
import { hostFor } from '../outside/host-for.js';
import { aliasOf, domainXml, hostdevXml } from '../outside/lab-domain.js';
import type { LabHost } from '../outside/lab-host.js';
import { LinuxGuest } from '../outside/linux-guest.js';
import type { CaseResult, LabCase } from './lab-case.js';

const DETACHED_WITHIN_MS = 120_000;

export default [
  {
    name: 'depth-bus',
    summary:
      'a Linux guest with devices on a conventional bus: in use, one attached, the VM reset, and a save that libvirt refuses',
    byDefault: false,
    run: async ({ guarded }) => {
      const { host, devices } = await guarded();
      const [nvme, nic, second] = named(devices, 'nvme', 'e1000e', 'virtio-net');
      return withGuest(host, 'lab-depth-bus', [nvme!, nic!], async (guest, result) => {
        result.seen.push(await useNvme(guest), await linkIsUp(guest));
        result.seen.push(await expectReached(host, guest, nvme!, false));
        result.seen.push(await attach(host, guest, second!, 256));
        await host.virsh(['reset', guest.name]);
        await guest.rebooted();
        result.seen.push(`after a reset of the VM: ${await useNvme(guest)}`);
        result.seen.push(await expectReached(host, guest, nvme!, false));
        result.seen.push(await saveIsRefused(host, guest));
      });
    },
  },
  {
    name: 'depth-guard',
    summary:
      'a Linux guest under the kernel guard: its NVMe in use while the switch is turned, a device attached, the VM reset',
    byDefault: false,
    run: async ({ guarded, mechanisms, demanded }) => {
      const mechanism = mechanisms.find(({ column }) => column === 'kernel-guard');
      const ready = mechanism ? await hostFor(mechanism, guarded) : 'its column was not chosen';
      if (typeof ready === 'string') {
        const notRun = [`not run: ${ready}`];
        return demanded.has('kernel-guard') ? { seen: [], failures: notRun } : { seen: notRun, failures: [] };
      }
      const { host, devices } = ready;
      const [nvme, second] = named(devices, 'nvme', 'virtio-net');
      return withGuest(host, 'lab-depth-guard', [nvme!], async (guest, result) => {
        result.seen.push(await useNvme(guest));
        result.seen.push(await expectReached(host, guest, nvme!, false));
        try {
          await host.turn('off');
          result.seen.push(`switched off: ${await expectReached(host, guest, nvme!, true)}`);
        } finally {
          await host.turn('enforce');
        }
        result.seen.push(`and on again: ${await useNvme(guest)}`);
        result.seen.push(await expectReached(host, guest, nvme!, false));
        result.seen.push(await attach(host, guest, second!, 4096));
        await host.virsh(['reset', guest.name]);
        await guest.rebooted();
        result.seen.push(`after a reset of the VM: ${await useNvme(guest)}`);
        result.seen.push(await expectReached(host, guest, nvme!, false));
      });
    },
  },
  depthFilter('filter-preload'),
  depthFilter('filter-property'),
  {
    name: 'depth-i440fx',
    summary:
      'a Linux guest on i440fx: its NVMe in use, detached, the guest saved and restored, the NVMe attached again',
    byDefault: false,
    run: async ({ guarded }) => {
      const { host, devices } = await guarded();
      const [nvme] = named(devices, 'nvme');
      return withGuest(host, 'lab-i440fx', [nvme!], async (guest, result) => {
        result.seen.push(await useNvme(guest));
        result.seen.push(await saveWithout(host, guest, nvme!));
      });
    },
  },
] satisfies LabCase[];

function depthFilter(column: 'filter-preload' | 'filter-property'): LabCase {
  return {
    name: `depth-${column}`,
    summary: `a Linux guest under ${column}: its NVMe in use, the VM reset, the NVMe detached, saved without, attached again`,
    byDefault: false,
    run: async ({ guarded, mechanisms, demanded }) => {
      const mechanism = mechanisms.find((each) => each.column === column);
      const ready = mechanism ? await hostFor(mechanism, guarded) : 'its column was not chosen';
      if (typeof ready === 'string') {
        const notRun = [`not run: ${ready}`];
        return demanded.has(column) ? { seen: [], failures: notRun } : { seen: notRun, failures: [] };
      }
      const { host, devices } = ready;
      const [nvme] = named(devices, 'nvme');
      const work = async (guest: LinuxGuest, result: CaseResult) => {
        result.seen.push(await useNvme(guest));
        result.seen.push(await expectReached(host, guest, nvme!, false));
        await host.virsh(['reset', guest.name]);
        await guest.rebooted();
        result.seen.push(`after a reset of the VM: ${await useNvme(guest)}`);
        result.seen.push(await expectReached(host, guest, nvme!, false));
        result.seen.push(await saveWithout(host, guest, nvme!));
        result.seen.push(await expectReached(host, guest, nvme!, false));
      };
      return withGuest(host, 'lab-depth-filter', [nvme!], work, mechanism!.emulator);
    },
  };
}

/** A guest with a device can be neither saved nor migrated. */
async function saveWithout(host: LabHost, guest: LinuxGuest, { bdf, device }: DeviceFacts): Promise<string> {
  const file = `/tmp/${guest.name}-nvme.xml`;
  await host.agent.writeFile(file, hostdevXml(bdf, aliasOf(device)));
  await host.virsh(['detach-device', guest.name, file]);
  await detached(host, guest);
  await host.virsh(['save', guest.name, `/var/lib/libvirt/${guest.name}.save`]);
  await host.virsh(['restore', `/var/lib/libvirt/${guest.name}.save`]);
  await host.virsh(['attach-device', guest.name, file]);
  return `detached, saved, restored and attached again: ${await useNvme(guest)}`;
}

async function withGuest(
  host: LabHost,
  name: string,
  devices: readonly DeviceFacts[],
  work: (guest: LinuxGuest, result: CaseResult) => Promise<void>,
  emulator?: string,
): Promise<CaseResult> {
  const result: CaseResult = { seen: [], failures: [] };
  await host.agent.writeFile(
    `/tmp/${name}.xml`,
    domainXml({ name, devices, emulator, ...LinuxGuest.boots(host, name) }),
  );
  await host.virsh(['define', `/tmp/${name}.xml`]);
  await host.start(name);
  const guest = new LinuxGuest(host, name);
  try {
    await guest.booted();
    await work(guest, result);
  } catch (error) {
    result.failures.push((error as Error).message);
  } finally {
    await host.virsh(['destroy', name]).catch(() => undefined);
    await host.virsh(['undefine', name]).catch(() => undefined);
  }
  return result;
}

/** The guest gives its device up in its own time. */
async function detached(host: LabHost, { name }: LinuxGuest): Promise<void> {
  for (const deadline = Date.now() + DETACHED_WITHIN_MS; ;) {
    if (!(await host.virsh(['dumpxml', name])).includes('<hostdev')) return;
    if (Date.now() > deadline) throw new Error(`${name} did not give its device up`);
    await setTimeout(500);
  }
}

async function linkIsUp(guest: LinuxGuest): Promise<string> {
  await guest.run(
    'nic=$(for n in /sys/class/net/*; do [ "$(cat $n/device/device 2>/dev/null)" = 0x10d3 ] && basename $n; done); ' +
      'ip link set $nic up; for i in $(seq 100); do [ "$(cat /sys/class/net/$nic/carrier 2>/dev/null)" = 1 ] && break; sleep 0.2; done; ' +
      '[ "$(cat /sys/class/net/$nic/carrier)" = 1 ]',
  );
  return "the guest's e1000e has its link up";
}

/** Cache line size, which vfio passes to every device: a guest whose writes did nothing at all would show nothing. */
const CONTROL = { offset: 0x0c, value: 0x10 };

/** The guest's root writes to bytes from 0x100 on, by sysfs, as the talk's fuzzer did; and one that always arrives. */
async function expectReached(
  host: LabHost,
  guest: LinuxGuest,
  { bdf }: DeviceFacts,
  expected: boolean,
): Promise<string> {
  host.machine.hardware.take();
  const size = await guest.run(
    'c=$(dirname $(grep -l 0x010802 /sys/bus/pci/devices/*/class))/config; ' +
      'for o in 256 512 1024 2048 4095; do printf "\\253" | dd of=$c bs=1 seek=$o conv=notrunc 2>/dev/null; done; ' +
      `printf "\\${CONTROL.value.toString(8)}" | dd of=$c bs=1 seek=${CONTROL.offset} conv=notrunc 2>/dev/null; stat -c %s $c`,
  );
  const writes = host.machine.hardware.takeWrites().filter(({ address }) => bdf.endsWith(address));
  if (!writes.some(({ offset, value }) => offset === CONTROL.offset && (value & 0xff) === CONTROL.value)) {
    throw new Error(`the guest's control write did not reach the device: the others show nothing`);
  }
  const reached = writes.filter(({ offset }) => offset >= 0x100).length;
  const seen = `the guest sees ${size} bytes of config space; ${reached || 'none'} of its writes from 0x100 on reached the device`;
  if (reached > 0 !== expected) throw new Error(seen);
  return seen;
}

/** Attaches a virtio-net to the running guest. */
async function attach(
  host: LabHost,
  guest: LinuxGuest,
  { device, bdf }: DeviceFacts,
  bytes: 256 | 4096,
): Promise<string> {
  const file = `/tmp/${guest.name}-second.xml`;
  await host.agent.writeFile(file, hostdevXml(bdf, aliasOf(device)));
  await host.virsh(['attach-device', guest.name, file]);
  const size = await guest.run(
    'echo 1 >/sys/bus/pci/rescan; for i in $(seq 50); do v=$(grep -l 0x1041 /sys/bus/pci/devices/*/device) && break; sleep 0.2; done; ' +
      'stat -c %s $(dirname $v)/config',
  );
  if (size !== String(bytes))
    throw new Error(`the attached device has ${size} bytes of config space in the guest`);
  return `a second device, attached to the running guest: ${size} bytes of config space there`;
}

async function saveIsRefused(host: LabHost, guest: LinuxGuest): Promise<string> {
  const refusal = await host.virsh(['save', guest.name, '/var/lib/libvirt/refused.save']).then(
    () => '',
    (error: Error) => error.message,
  );
  const words = /error: .*(?:hostdev|migrat|non-migratable|VFIO).*/i.exec(refusal)?.[0];
  if (words === undefined) throw new Error(`a save with the device was not refused by libvirt: ${refusal}`);
  return `a save with the device: ${words}`;
}

function named(devices: readonly DeviceFacts[], ...names: string[]): DeviceFacts[] {
  return names.map((name) => devices.find(({ device }) => device.name === name)!);
}
