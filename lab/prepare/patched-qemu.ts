import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exists } from './cache.js';

const PATCHES = fileURLToPath(new URL('../../qemu/patches/', import.meta.url));
/** Where `qemu/build.sh` keeps what it builds. */
const BUILDS = process.env['QEMU_CACHE'] ?? '/var/cache/vfio-warden/qemu';
/** By the name of the lab's host: the QEMU that its Debian has, or the nearest that there are patches for. */
const VERSIONS: Record<string, string> = { debian12: '7.2', debian13: '10.0', newest: '10.2' };

/**
 * The path of a QEMU with today's patches, of the version that goes with a host's Debian. It is not built here: that takes minutes.
 *
 * @throws Error where there is none, with what makes it
 */
export async function patchedQemu(hostName: string): Promise<string> {
  const version = VERSIONS[hostName];
  if (version === undefined) throw new Error(`there are no patches for the QEMU of ${hostName}`);
  const build = join(BUILDS, `patched-${version}`);
  const binary = join(build, 'b/qemu-system-x86_64');
  const make = `run qemu/build.sh ${version}`;
  if (!(await exists(binary))) throw new Error(`there is no patched QEMU: ${make}`);
  // As build.sh notes them.
  const stamp = await readFile(join(build, '.vfio-warden'), 'utf8').catch(() => '');
  if (!stamp.startsWith(await digestOf(join(PATCHES, version)))) {
    throw new Error(`the patched QEMU has other patches than these: ${make}`);
  }
  return binary;
}

async function digestOf(folder: string): Promise<string> {
  const names = (await readdir(folder)).filter((name) => /^000[1-9].*\.patch$/.test(name)).toSorted();
  const hash = createHash('sha256');
  for (const name of names) hash.update(await readFile(join(folder, name)));
  return hash.digest('hex');
}
