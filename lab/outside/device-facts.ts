import { NEWEST_TABLES, TABLES_6_1 } from '../../src/pci/config-space/capability-tables.js';
import { layoutOf } from '../../src/pci/config-space/layout.js';
import type { LabDevice } from '../devices/device.js';
import type { DeviceFacts } from '../exposures/exposure.js';
import type { LabHost } from './lab-host.js';

/** Finds the lab's devices on its host and reads their config space, as root may. */
export async function findDevices(host: LabHost, devices: readonly LabDevice[]): Promise<DeviceFacts[]> {
  const list = await host.agent.run([
    'sh',
    '-c',
    'for d in /sys/bus/pci/devices/*; do echo "${d##*/} $(cat $d/vendor) $(cat $d/device) $(stat -c %s $d/config)"; done',
  ]);
  const found = list
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([bdf, vendor, id, size]) => ({
      bdf: bdf!,
      id: `${vendor!.slice(2)}:${id!.slice(2)}`,
      size: Number(size),
    }))
    // Behind a root port: what is on the first bus is the host's own.
    .filter(({ bdf }) => !bdf.startsWith('0000:00:'));
  const release = await host.agent.run(['uname', '-r']);
  const tables = release.startsWith('6.1.') ? TABLES_6_1 : NEWEST_TABLES;
  return Promise.all(
    devices.map(async (device) => {
      const at = found.find(({ id }) => id === device.id);
      if (!at) throw new Error(`the lab host has no ${device.name} (${device.id})`);
      const configSpace = await host.agent.readBytes(`/sys/bus/pci/devices/${at.bdf}/config`, at.size);
      return {
        device,
        bdf: at.bdf,
        configSpace,
        layout: layoutOf(configSpace, { configSize: at.size, tables }),
      };
    }),
  );
}
