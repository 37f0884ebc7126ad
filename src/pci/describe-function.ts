import type { PciFunction } from './pci-function.js';
import type { PciIds } from './pci-ids.js';

/**
 * One line for people:
 * `0000:65:00.0 NVIDIA Corporation GH100 [10de:2330] class 0302, driver vfio-pci, group 12`.
 */
export function describeFunction(fn: PciFunction, names: PciIds): string {
  const vendor = names.vendor(fn.vendor);
  const device = names.device(fn.vendor, fn.device);
  const title = [fn.bdf, vendor, device, `[${fn.vendor}:${fn.device}]`, `class ${fn.class.slice(0, 4)}`];
  const details = [title.filter((part) => part !== undefined).join(' ')];
  if (fn.physicalFunction !== undefined) details.push(`virtual function of ${fn.physicalFunction}`);
  else if (fn.kind === 'vf') details.push('virtual function');
  details.push(fn.driver === undefined ? 'no driver' : `driver ${fn.driver}`);
  details.push(fn.iommuGroup === undefined ? 'no IOMMU group' : `group ${fn.iommuGroup}`);
  return details.join(', ');
}
