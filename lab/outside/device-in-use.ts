import type { DeviceFacts } from '../exposures/exposure.js';
import { domainXml } from './lab-domain.js';
import type { LabHost } from './lab-host.js';
import { LinuxGuest } from './linux-guest.js';

/** Boots a Linux in a domain that vfio-warden has decided about, and has it use the NVMe that the domain was given. */
export async function deviceStillWorks(
  host: LabHost,
  devices: readonly DeviceFacts[],
  name: string,
): Promise<string> {
  const nvme = devices.filter(({ device }) => device.name === 'nvme');
  await host.agent.writeFile(
    `/tmp/${name}.xml`,
    domainXml({ name, devices: nvme, ...LinuxGuest.boots(host, name) }),
  );
  await host.virsh(['define', `/tmp/${name}.xml`]);
  await host.start(name);
  try {
    const guest = new LinuxGuest(host, name);
    await guest.booted();
    return await useNvme(guest);
  } finally {
    await host.virsh(['destroy', name]).catch(() => undefined);
    await host.virsh(['undefine', name]).catch(() => undefined);
  }
}

/** Writes a mebibyte to the guest's NVMe and reads it back past every cache. */
export async function useNvme(guest: LinuxGuest): Promise<string> {
  await guest.run(
    'for i in $(seq 100); do [ -b /dev/nvme0n1 ] && break; sleep 0.2; done; [ -b /dev/nvme0n1 ]',
  );
  await guest.run('dd if=/dev/urandom of=/data bs=64k count=16 2>/dev/null');
  await guest.run(
    'dd if=/data of=/dev/nvme0n1 bs=64k conv=fsync 2>/dev/null && echo 3 >/proc/sys/vm/drop_caches',
  );
  const sums = await guest.run(
    'sha256sum </data; dd if=/dev/nvme0n1 bs=64k count=16 2>/dev/null | sha256sum',
  );
  const [written, read] = sums.split('\n').map((line) => line.trim().split(' ')[0]);
  if (written !== read) throw new Error(`the NVMe gave back ${read}, not ${written}`);
  return `a Linux in the guest wrote 1 MiB to its NVMe and read it back: sha256 ${written!.slice(0, 16)}`;
}
