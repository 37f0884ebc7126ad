import { readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LocatedError } from '../../located-error.js';
import { syncDirectory, writeAtomically } from '../atomic-file.js';
import { commandLineOptions, readBoolean, readIds, type OptionSource } from './modprobe-options.js';
import {
  BLOCKING,
  PARAMETER_MODULES,
  type Blocking,
  type LiveParameters,
  type ParameterModule,
  type SeenParameters,
} from './parameter-plan.js';

/** In modprobe's order of precedence: a file hides those of the same name in the directories behind it (modprobe.d(5)). */
const DIRECTORIES = [
  'etc/modprobe.d',
  'run/modprobe.d',
  'usr/local/lib/modprobe.d',
  'usr/lib/modprobe.d',
  'lib/modprobe.d',
];
/** Late in the order of names, since the last one counts. */
const OWN_FILE = 'etc/modprobe.d/vfio-warden.conf';
const COMMAND_LINE = 'proc/cmdline';
/** No file of modprobe.d comes near it. */
const MAX_FILE_BYTES = 1 << 20;

/** What is kept over restarts, so that all can be given back. */
export interface Memory {
  /** The module that was seen to have the parameters, so that they can be configured while it is not loaded. */
  module?: ParameterModule;
  /** What the parameters were before we set them in the module that is loaded. */
  before: Partial<Blocking>;
}

export interface ParameterFilesOptions {
  /** The host's root directory. */
  root: string;
  /** Where sysfs is mounted. */
  sysfs: string;
  /** The file that keeps what was there before us. */
  memoryFile: string;
}

/** The files by which parameters of modules are read and set. */
export class ParameterFiles {
  constructor(private readonly options: ParameterFilesOptions) {}

  async see(heldIds: ReadonlySet<string>, memory: Memory): Promise<SeenParameters> {
    const found = await this.loadedModule();
    const module = found === 'without' ? undefined : (found?.module ?? memory.module);
    return {
      module,
      live: found === 'without' ? undefined : found?.live,
      sources: module ? await this.sources(module) : [],
      ownFile: this.path(OWN_FILE),
      heldIds,
    };
  }

  /** @throws LocatedError where it cannot be written */
  async writeOwnFile(text: string | null): Promise<void> {
    const path = this.path(OWN_FILE);
    await change(path, async () => {
      if (text !== null) return writeAtomically(path, text);
      await rm(path, { force: true });
      await syncDirectory(dirname(path));
    });
  }

  /** @throws LocatedError where the kernel or the file system refuses it */
  async setLive(module: ParameterModule, parameter: keyof Blocking, value: boolean): Promise<void> {
    const path = join(this.parameters(module), BLOCKING[parameter]);
    await change(path, () => writeFile(path, value ? 'Y\n' : 'N\n', { flag: 'r+' }));
  }

  async recall(): Promise<Memory> {
    const text = await readSmall(this.options.memoryFile);
    if (text === undefined) return { before: {} };
    try {
      const { module, before } = JSON.parse(text) as Record<string, unknown>;
      const known = PARAMETER_MODULES.find((name) => name === module);
      return { ...(known && { module: known }), before: readBefore(before) };
    } catch {
      // What was there before us is lost with it: then what modprobe.d says without us is given back.
      return { before: {} };
    }
  }

  /** @throws LocatedError where it cannot be kept: then nothing may be changed */
  async remember(memory: Memory): Promise<void> {
    const { memoryFile } = this.options;
    await change(memoryFile, () => writeAtomically(memoryFile, `${JSON.stringify(memory)}\n`, 0o600));
  }

  private async loadedModule(): Promise<
    { module: ParameterModule; live: LiveParameters } | 'without' | undefined
  > {
    let loaded = false;
    for (const module of PARAMETER_MODULES) {
      const live = await this.live(module);
      if (live) return { module, live };
      loaded ||= module === 'vfio_pci_core' && (await isThere(join(this.options.sysfs, 'module', module)));
    }
    return loaded ? 'without' : undefined;
  }

  private async live(module: ParameterModule): Promise<LiveParameters | undefined> {
    const read = async (name: string) => readSmall(join(this.parameters(module), name));
    const blockWrite = readBoolean(await read('block_pci_unassigned_write'));
    if (blockWrite === undefined) return undefined;
    return {
      blockWrite,
      blockRead: readBoolean(await read('block_pci_unassigned_read')) ?? false,
      allowIds: readIds(await read('uaccess_allow_ids')),
    };
  }

  private async sources(module: ParameterModule): Promise<OptionSource[]> {
    const byName = new Map<string, string>();
    for (const directory of DIRECTORIES) {
      const names = await readdir(this.path(directory)).catch(() => []);
      for (const name of names.filter((each) => each.endsWith('.conf'))) {
        if (!byName.has(name)) byName.set(name, join(directory, name));
      }
    }
    const paths = [...byName].toSorted(([a], [b]) => (a < b ? -1 : 1)).map(([, path]) => this.path(path));
    const texts = await Promise.all(
      paths.map(async (path) => ({ path, text: (await readSmall(path)) ?? '' })),
    );
    const commandLine = this.path(COMMAND_LINE);
    return [...texts, commandLineOptions(module, (await readSmall(commandLine)) ?? '', commandLine)];
  }

  private parameters(module: ParameterModule): string {
    return join(this.options.sysfs, 'module', module, 'parameters');
  }

  private path(relative: string): string {
    return join(this.options.root, relative);
  }
}

/** @param kept a boolean where a version kept it that knew of `block_pci_unassigned_write` alone */
function readBefore(kept: unknown): Partial<Blocking> {
  if (typeof kept === 'boolean') return { blockWrite: kept };
  const { blockWrite, blockRead } = (kept ?? {}) as Record<string, unknown>;
  return {
    ...(typeof blockWrite === 'boolean' && { blockWrite }),
    ...(typeof blockRead === 'boolean' && { blockRead }),
  };
}

/** Undefined where it is not there, or not to be read. */
async function readSmall(path: string): Promise<string | undefined> {
  try {
    if ((await stat(path)).size > MAX_FILE_BYTES) return undefined;
    return await readFile(path, 'utf8');
  } catch {
    return undefined;
  }
}

async function isThere(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}

async function change(path: string, work: () => Promise<unknown>): Promise<void> {
  try {
    await work();
  } catch (error) {
    const code = error instanceof Error && 'code' in error ? error.code : error;
    throw new LocatedError(
      `it cannot be written (${code})`,
      path,
      "Check its permissions, and ReadWritePaths in the service's unit.",
    );
  }
}
