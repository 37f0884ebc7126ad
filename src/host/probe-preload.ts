import { access, readFile } from 'node:fs/promises';
import { constants } from 'node:fs';
import { join } from 'node:path';
import { filterDigest } from '../mitigation/qemu-filter/filter-text.js';
import { askProgram } from './ask-program.js';
import type { Probe } from './host-capabilities.js';

/** As for other questions to the emulator. */
const TIMEOUT_MS = 10_000;
const MAX_OUTPUT_BYTES = 64 * 1024;
/** The version of the library's rules and lines that this service knows (`qemu/filter/vfio-config-filter.c`). */
const VERSION = 1;
/** Rules that say nothing of any device that is there. */
const TRIAL = 'ffff:ff:1f.7=unassigned:w:block';

export interface PreloadProbeOptions {
  emulator: string;
  library: string;
  /** Where sysfs is mounted. */
  sysfs: string;
  /** Where AppArmor's profiles are. */
  apparmor?: string;
  /** Milliseconds that the emulator may take. */
  timeoutMs?: number;
}

/**
 * Whether the emulator loads the library and libvirt's confinement lets it. The answer for one domain is what its own
 * QEMU says when it opens a device.
 */
export async function probePreload(options: PreloadProbeOptions): Promise<Probe> {
  const { library, sysfs, apparmor = '/etc/apparmor.d' } = options;
  const absent = (detail: string): Probe => ({ state: 'absent', detail });
  try {
    await access(library, constants.R_OK);
  } catch {
    return absent(`there is no readable ${library}`);
  }
  if ((await textOf(join(sysfs, 'fs/selinux/enforce')))?.trim() === '1') {
    return absent('SELinux is enforcing, and the loader ignores preloaded libraries in domains of libvirt');
  }
  const profile = join(apparmor, 'abstractions/libvirt-qemu');
  const confined =
    (await textOf(join(sysfs, 'module/apparmor/parameters/enabled')))?.startsWith('Y') ?? false;
  if (confined && (await textOf(profile)) !== undefined) {
    const local = (await textOf(join(apparmor, 'local/abstractions/libvirt-qemu'))) ?? '';
    if (!local.includes('vfio-warden-filter') && !local.includes(library)) {
      return absent(
        `AppArmor does not let a VM load ${library}: ${apparmor}/local/abstractions/libvirt-qemu lacks it`,
      );
    }
  }
  return tryOut(options);
}

async function tryOut({ emulator, library, timeoutMs }: PreloadProbeOptions): Promise<Probe> {
  const env = { ...process.env, LD_PRELOAD: library, VFIO_WARDEN_RULES: TRIAL, VFIO_WARDEN_FILTER: 'block' };
  let said: string;
  try {
    const limits = { timeoutMs: timeoutMs ?? TIMEOUT_MS, maxBytes: MAX_OUTPUT_BYTES };
    said = (await askProgram(emulator, ['-version'], { env, ...limits })).stderr;
  } catch (error) {
    const reason = error instanceof Error ? error.message.split('\n')[0]! : String(error);
    return { state: 'unknown', detail: `${emulator} does not run with ${library}: ${reason}` };
  }
  const line = said.split('\n').find((text) => text.startsWith('vfio-warden-filter: '));
  if (line === undefined) {
    const detail = `${emulator} does not load ${library}: the loader ignores it (AT_SECURE), or it is another machine's`;
    return { state: 'absent', detail };
  }
  const expected = `vfio-warden-filter: version ${VERSION} in place, mode=block rules=${filterDigest(TRIAL)}`;
  return line === expected
    ? { state: 'ready', detail: `${emulator} was seen to load ${library}` }
    : { state: 'absent', detail: `${library} is of another version: ${line.slice(0, 120)}` };
}

async function textOf(file: string): Promise<string | undefined> {
  return readFile(file, 'utf8').catch(() => undefined);
}
