import { copyFile, mkdir, readFile, rm } from 'node:fs/promises';
import { createHash } from 'node:crypto';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { madeOnce } from './cache.js';
import type { Kernel } from './kernel.js';
import { runCommand } from './run-command.js';

const SOURCE = fileURLToPath(new URL('../../kernel/rfc-parameters/', import.meta.url));
const MODULES = ['vfio-pci-core', 'vfio-pci'];
/** A compiler and a kernel's headers are fetched, and a source is unpacked. */
const BUILD_TIMEOUT_MS = 900_000;

/**
 * The same kernel with a vfio-pci that has the RFC's parameters, and with its audit switched on; modules for it are built on its
 * own Debian.
 */
export async function withParameters(kernel: Kernel, userland: string): Promise<Kernel> {
  const { release } = kernel;
  const series = /^\d+\.\d+/.exec(release)![0];
  const parts = await Promise.all(
    [`patches/${series}.patch`, 'build.sh'].map((file) => readFile(join(SOURCE, file))),
  );
  const stamp = createHash('sha256').update(Buffer.concat(parts)).digest('hex').slice(0, 12);
  const made = await madeOnce(`parameters/${release}-${stamp}`, async (path) => {
    await mkdir(join(path, 'lib/modules'), { recursive: true });
    const built = join(path, 'built');
    if (userland === '/') {
      await runCommand(join(SOURCE, 'build.sh'), [release, built], { timeout: BUILD_TIMEOUT_MS });
    } else {
      await buildIn(userland, release, path, built);
    }
    // Links, since a kernel's modules are some hundred MB; depmod writes new files.
    await runCommand('cp', ['-al', join(kernel.modules, release), join(path, 'lib/modules/')]);
    for (const module of MODULES) {
      const place = join(path, 'lib/modules', release, 'kernel/drivers/vfio/pci', module);
      for (const packed of ['', '.xz', '.zst']) await rm(`${place}.ko${packed}`, { force: true });
      await copyFile(join(built, `${module}.ko`), `${place}.ko`);
    }
    await runCommand('depmod', ['-b', path, release]);
  });
  return { ...kernel, modules: join(made, 'lib/modules'), arguments: ['audit=1'] };
}

/** Builds in a Debian that stays as it is: what is installed goes into a layer above it, and away with that. */
async function buildIn(userland: string, release: string, path: string, built: string): Promise<void> {
  const [layer, work, root] = ['layer', 'work', 'root'].map((name) => join(path, name));
  for (const directory of [layer!, work!, root!]) await mkdir(directory);
  const options = `lowerdir=${userland},upperdir=${layer},workdir=${work}`;
  await runCommand('mount', ['-t', 'overlay', '-o', options, 'overlay', root!]);
  try {
    await runCommand('mount', ['-t', 'proc', 'proc', join(root!, 'proc')]);
    await runCommand('cp', ['-r', SOURCE, join(root!, 'build')]);
    await runCommand('chroot', [root!, '/build/build.sh', release, '/built'], { timeout: BUILD_TIMEOUT_MS });
    await runCommand('cp', ['-r', join(root!, 'built'), built]);
  } finally {
    await runCommand('umount', [join(root!, 'proc')]).catch(() => undefined);
    await runCommand('umount', [root!]);
  }
  for (const directory of [layer!, work!, root!]) await rm(directory, { recursive: true });
}
