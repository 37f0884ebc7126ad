import { access, opendir } from 'node:fs/promises';
import { join } from 'node:path';
import { LocatedError } from '../located-error.js';
import { parseBdf, type Bdf } from './bdf.js';
import { configSpaceFacts } from './config-space-facts.js';
import { ConfigSpaceReader } from './config-space-reader.js';
import { MAX_FUNCTIONS, type PciFunction } from './pci-function.js';
import { NOT_SYSFS, printable, sysfsFailure } from './sysfs-file.js';
import { readSysfsFunction, type SysfsFunction } from './sysfs-function.js';

/** Something that could not be read or believed; the rest of the inventory was read all the same. */
export interface InventoryProblem {
  /** The function; the directory's name where that is no address; empty where the whole bus is meant. */
  bdf: string;
  /** The file in the function's directory; for the whole bus its path. */
  file: string;
  problem: string;
  remedy: string;
}

export interface SysfsInventoryOptions {
  /** Where sysfs is mounted. */
  root?: string;
  /**
   * Whether to read config space. A read from a lost device can hang, and one from a sleeping device wakes it: `safe`
   * leaves out functions that a VM may hold now, and those in D3cold.
   */
  readConfigSpace?: boolean | 'safe';
  /** Milliseconds that one function's config space may take. */
  configTimeoutMs?: number;
}

/** More at once gains nothing: Node has four threads for files. */
const CONCURRENCY = 8;

/** After so many it is the host that is in trouble, and no further device is touched. */
const MAX_TIMEOUTS = 4;

/**
 * Reads the host's PCI functions from `ROOT/bus/pci/devices`, in the order of their addresses. Whatever is missing or
 * unbelievable becomes a problem; a function whose ids cannot be read, or that vanishes meanwhile, is left out and
 * named. It does not throw for what sysfs holds.
 */
export async function readSysfsInventory(
  options: SysfsInventoryOptions = {},
): Promise<{ functions: PciFunction[]; problems: InventoryProblem[] }> {
  const { root = '/sys', readConfigSpace = 'safe', configTimeoutMs = 2000 } = options;
  const directory = join(root, 'bus/pci/devices');
  const problems: InventoryProblem[] = [];
  const report = (bdf: string, file: string, problem: string, remedy: string) => {
    problems.push({ bdf, file, problem, remedy });
  };

  const names = await listFunctions(directory, report);
  const found = await mapConcurrently(names, (bdf) =>
    readSysfsFunction(join(directory, bdf), bdf, (...what) => report(bdf, ...what)),
  );
  const readable = found.filter((entry) => entry !== undefined);
  if (readConfigSpace !== false) {
    const safely = readConfigSpace === 'safe';
    await addConfigSpaces(readable, { directory, safely, timeoutMs: configTimeoutMs }, report);
  }
  const stillThere = await mapConcurrently(readable, ({ function: { bdf } }) => exists(join(directory, bdf)));
  const present = readable.filter(({ function: { bdf } }, index) => {
    if (!stillThere[index]) {
      report(bdf, '', 'it vanished while it was read, and is left out', 'Read the inventory again.');
    }
    return stillThere[index];
  });
  checkSriov(present, report);
  problems.sort((a, b) => (a.bdf < b.bdf ? -1 : a.bdf > b.bdf ? 1 : 0));
  return { functions: present.map((entry) => entry.function), problems };
}

type Report = (bdf: string, file: string, problem: string, remedy: string) => void;

async function listFunctions(directory: string, report: Report): Promise<Bdf[]> {
  const names: Bdf[] = [];
  let entries = 0;
  try {
    for await (const { name } of await opendir(directory)) {
      if (++entries > MAX_FUNCTIONS) {
        report(
          '',
          directory,
          `there are more than ${MAX_FUNCTIONS} entries; the rest is left out`,
          NOT_SYSFS,
        );
        break;
      }
      const bdf = parseBdf(name);
      if (bdf === name) names.push(bdf);
      else report(printable(name), '', 'the name is not a PCI address, so it is left out', NOT_SYSFS);
    }
  } catch (error) {
    const { problem, remedy } = sysfsFailure(directory, error);
    report('', directory, problem, remedy);
  }
  return names.toSorted();
}

/** Reads one function after the other, and completes the functions in place. */
async function addConfigSpaces(
  found: SysfsFunction[],
  options: { directory: string; safely: boolean; timeoutMs: number },
  report: Report,
): Promise<void> {
  const reader = new ConfigSpaceReader(options.timeoutMs);
  let timeouts = 0;
  try {
    for (const { function: fn, held, powerState } of found) {
      const skip = (problem: string, remedy: string) => report(fn.bdf, 'config', problem, remedy);
      if (timeouts === MAX_TIMEOUTS) {
        skip(`it was not read: ${MAX_TIMEOUTS} other devices did not answer`, 'Look at the kernel log.');
        continue;
      }
      if (options.safely && held) {
        skip('it was not read: a VM may hold the function', 'Read the inventory while no VM uses it.');
        continue;
      }
      if (options.safely && powerState === 'D3cold') {
        skip('it was not read: the function is powered off (D3cold)', 'Wake the device, and read again.');
        continue;
      }
      const reading = await reader.read(join(options.directory, fn.bdf, 'config'));
      if ('timedOut' in reading) {
        timeouts += 1;
        skip(
          `the device did not answer within ${options.timeoutMs} ms`,
          'Do not assign it; look at the kernel log: it may need a reset or a power cycle.',
        );
      } else if ('error' in reading) {
        const { problem, remedy } = sysfsFailure('config', reading.error);
        skip(problem, remedy);
      } else {
        try {
          Object.assign(fn, configSpaceFacts(fn, reading.bytes, reading.fileSize));
        } catch (error) {
          if (!(error instanceof LocatedError)) throw error;
          skip(error.problem, error.remedy);
          continue;
        }
        if (fn.configSize !== reading.bytes.length) {
          skip(`only the first ${reading.bytes.length} bytes could be read`, 'Run as root (CAP_SYS_ADMIN).');
        }
      }
    }
  } finally {
    reader.close();
  }
}

/** The `virtfn*` links of a physical function and the `physfn` links of its virtual functions must say the same. */
function checkSriov(found: SysfsFunction[], report: Report): void {
  const byBdf = new Map(found.map((entry) => [entry.function.bdf, entry.function]));
  for (const { function: pf, virtualFunctions } of found) {
    for (const bdf of virtualFunctions) {
      const vf = byBdf.get(bdf);
      if (vf !== undefined && vf.physicalFunction !== pf.bdf) {
        report(bdf, 'physfn', `${pf.bdf} names it as its virtual function, but it does not agree`, NOT_SYSFS);
      }
    }
  }
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

async function mapConcurrently<T, R>(items: T[], map: (item: T) => Promise<R>): Promise<R[]> {
  const results: R[] = [];
  let next = 0;
  const work = async () => {
    for (let index = next++; index < items.length; index = next++) results[index] = await map(items[index]!);
  };
  await Promise.all(Array.from({ length: CONCURRENCY }, work));
  return results;
}
