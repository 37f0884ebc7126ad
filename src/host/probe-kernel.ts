import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostCapabilities } from './host-capabilities.js';
import { readBoolean, readIds } from './vfio-parameters/modprobe-options.js';
import { PARAMETER_MODULES } from './vfio-parameters/parameter-plan.js';

/** Whether this kernel has the RFC's parameters, and whether writes to unassigned bytes are blocked now. */
export async function probeKernelParameters(sysfs: string): Promise<HostCapabilities['kernelParameters']> {
  for (const module of PARAMETER_MODULES) {
    const read = async (name: string) =>
      (await readFile(join(sysfs, 'module', module, 'parameters', name), 'utf8')).trim().slice(0, 4096);
    try {
      const block = await read('block_pci_unassigned_write');
      const allowIds = readIds(await read('uaccess_allow_ids').catch(() => ''));
      const blockRead = readBoolean(await read('block_pci_unassigned_read').catch(() => undefined)) === true;
      return readBoolean(block)
        ? {
            state: 'ready',
            detail: `${module}.block_pci_unassigned_write${blockRead ? ' and block_pci_unassigned_read are' : ' is'} Y`,
            allowIds,
            ...(blockRead && { blockRead }),
          }
        : {
            state: 'absent',
            detail: `${module}.block_pci_unassigned_write is ${block.slice(0, 8)}`,
            allowIds,
          };
    } catch {
      continue;
    }
  }
  return {
    state: 'absent',
    detail: 'this kernel has no block_pci_unassigned_write (no released kernel has)',
    allowIds: [],
  };
}
