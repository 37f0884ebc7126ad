import { opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { LocatedError } from '../located-error.js';
import { parseBdf, type Bdf } from './bdf.js';
import { DRIVER_NAME, MAX_RESET_METHODS, RESET_METHOD, type PciFunction } from './pci-function.js';
import { NOT_SYSFS, printable, readAttribute, readLinkName, sysfsFailure } from './sysfs-file.js';

/** Reports something of a function's directory that could not be read or believed. */
export type Report = (file: string, problem: string, remedy: string) => void;

/** What a function's directory in sysfs says, config space left out. */
export interface SysfsFunction {
  function: PciFunction;
  /** What its `virtfn*` links point to. */
  virtualFunctions: Bdf[];
  /** A VM, or another user of VFIO, may hold it now. */
  held: boolean;
  /** `D0`, `D3hot`, `D3cold`, `unknown`, ...; undefined where the kernel does not say. */
  powerState: string | undefined;
}

/** An SR-IOV device has at most 65,535 virtual functions (TotalVFs has 16 bits); a directory has not many more entries. */
const MAX_DIRECTORY_ENTRIES = 70_000;

/**
 * Reads a function's directory. Only files that the kernel answers from memory are opened, none that takes the device's
 * lock (`driver_override`) or touches the device.
 *
 * @returns undefined where ids cannot be read: nothing can be said of a function without them
 */
export async function readSysfsFunction(
  directory: string,
  bdf: Bdf,
  report: Report,
): Promise<SysfsFunction | undefined> {
  const failed = new Set<string>();
  const fail: Report = (file, problem, remedy) => {
    failed.add(file);
    report(file, problem, remedy);
  };
  const attempt = async <T>(file: string, read: (path: string) => Promise<T>): Promise<T | undefined> => {
    try {
      return await read(join(directory, file));
    } catch (error) {
      if (!(error instanceof LocatedError)) throw error;
      fail(file, error.problem, error.remedy);
      return undefined;
    }
  };
  const text = (file: string) => attempt(file, readAttribute);
  const id = async (file: string, digits: number) => {
    const value = await text(file);
    const match = value?.match(new RegExp(`^0x([0-9a-f]{${digits}})$`));
    if (value !== undefined && !match) {
      fail(file, `'${printable(value)}' is not 0x and ${digits} hexadecimal digits`, NOT_SYSFS);
    }
    return match?.[1];
  };
  const requiredId = async (file: string, digits: number) => {
    const value = await id(file, digits);
    if (value === undefined && !failed.has(file)) {
      const { problem, remedy } = sysfsFailure(file, 'ENOENT');
      fail(file, `${problem}, so the function is left out`, remedy);
    }
    return value;
  };

  // One problem is enough for a function that is left out, so the first failure ends it.
  const vendor = await requiredId('vendor', 4);
  const device = vendor && (await requiredId('device', 4));
  const classCode = device && (await requiredId('class', 6));
  const revision = classCode && (await requiredId('revision', 2));
  if (!vendor || !device || !classCode || !revision) return undefined;

  const fn: PciFunction = { bdf, vendor, device, revision, class: classCode, kind: 'pf', resetMethods: [] };

  const subsystemVendor = await id('subsystem_vendor', 4);
  const subsystemDevice = await id('subsystem_device', 4);
  // The kernel shows 0x0000 where a function has none.
  if (subsystemVendor && subsystemDevice && subsystemVendor !== '0000') {
    fn.subsystemVendor = subsystemVendor;
    fn.subsystemDevice = subsystemDevice;
  }

  const driver = await attempt('driver', (link) => readLinkName(link, 'drivers'));
  if (driver !== undefined && DRIVER_NAME.test(driver)) fn.driver = driver;
  else if (driver !== undefined) fail('driver', `'${printable(driver)}' is not a driver's name`, NOT_SYSFS);

  const group = await attempt('iommu_group', (link) => readLinkName(link, 'iommu_groups'));
  if (group !== undefined && /^\d{1,9}$/.test(group)) fn.iommuGroup = Number(group);
  else if (group !== undefined) fail('iommu_group', `'${printable(group)}' is not a group number`, NOT_SYSFS);

  const owner = await attempt('physfn', (link) => readLinkName(link));
  if (owner !== undefined) {
    const physicalFunction = parseBdf(owner);
    if (physicalFunction !== undefined && physicalFunction !== bdf) fn.physicalFunction = physicalFunction;
    else fail('physfn', 'it does not point to another PCI function', NOT_SYSFS);
  }
  // Only virtual functions have the link, whatever it points to.
  if (owner !== undefined || failed.has('physfn')) fn.kind = 'vf';

  const methods = (await text('reset_method'))?.split(/\s+/).filter((name) => name !== '') ?? [];
  if (methods.length <= MAX_RESET_METHODS && methods.every((name) => RESET_METHOD.test(name)))
    fn.resetMethods = methods;
  else fail('reset_method', 'it is not a list of reset methods', NOT_SYSFS);

  // Vfio enables a device while it is open (`vfio_pci_core_enable`); a count that cannot be read counts as open.
  const held = driver !== undefined && driver.includes('vfio') && (await text('enable')) !== '0';
  const powerState = await text('power_state');

  const virtualFunctions: Bdf[] = [];
  for (const link of (await attempt('virtfn*', () => listVirtualFunctionLinks(directory))) ?? []) {
    const target = await attempt(link, (path) => readLinkName(path));
    const virtualFunction = target === undefined ? undefined : parseBdf(target);
    if (virtualFunction !== undefined) virtualFunctions.push(virtualFunction);
  }
  return { function: fn, virtualFunctions, held, powerState };
}

async function listVirtualFunctionLinks(directory: string): Promise<string[]> {
  const links: string[] = [];
  let entries = 0;
  try {
    for await (const { name } of await opendir(directory)) {
      if (/^virtfn\d{1,5}$/.test(name)) links.push(name);
      if (++entries === MAX_DIRECTORY_ENTRIES) break;
    }
  } catch (error) {
    throw sysfsFailure(directory, error);
  }
  return links;
}
