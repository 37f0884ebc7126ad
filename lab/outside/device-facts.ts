import { NEWEST_TABLES, TABLES_6_1 } from '../../src/pci/config-space/capability-tables.js';
import { layoutOf } from '../../src/pci/config-space/layout.js';
import type { LabDevice } from '../devices/device.js';
import type { DeviceFacts } from '../exposures/exposure.js';
import type { LabHost } from './lab-host.js';

const MAKE_VIRTUAL_FUNCTIONS =
  'for p in /sys/bus/pci/devices/*/sriov_totalvfs; do [ -e "$p" ] || continue; d=${p%/*}; ' +
  'echo 0 >$d/sriov_drivers_autoprobe; [ "$(cat $d/sriov_numvfs)" != 0 ] || cat $p >$d/sriov_numvfs; done';

/** `BDF vendor device size-of-config-space plain|physical|virtual` */
const LIST_FUNCTIONS =
  'for d in /sys/bus/pci/devices/*; do k=plain; [ ! -e $d/sriov_totalvfs ] || k=physical; [ ! -e $d/physfn ] || k=virtual; ' +
  'echo "${d##*/} $(cat $d/vendor) $(cat $d/device) $(stat -c %s $d/config) $k"; done';

/** Finds the lab's devices on its host and reads their config space, as root may. */
export async function findDevices(host: LabHost, devices: readonly LabDevice[]): Promise<DeviceFacts[]> {
  // The host's own driver is not to take a virtual function.
  await host.agent.run(['sh', '-c', MAKE_VIRTUAL_FUNCTIONS]);
  const list = await host.agent.run(['sh', '-c', LIST_FUNCTIONS]);
  const found = list
    .trim()
    .split('\n')
    .map((line) => line.split(' '))
    .map(([bdf, vendor, id, size, kind]) => ({
      bdf: bdf!,
      kind,
      id: `${vendor!.slice(2)}:${id!.slice(2)}`,
      size: Number(size),
    }))
    // Behind a root port: what is on the first bus is the host's own.
    .filter(({ bdf }) => !bdf.startsWith('0000:00:'));
  const release = await host.agent.run(['uname', '-r']);
  const tables = release.startsWith('6.1.') ? TABLES_6_1 : NEWEST_TABLES;
  return Promise.all(
    devices.map(async (device) => {
      const at = found.find(
        ({ id, kind }) => id === device.id && kind === (device.virtualFunction ? 'virtual' : 'plain'),
      );
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
