import { copyFile, mkdir, open, readFile, readdir, symlink, writeFile } from 'node:fs/promises';
import { basename, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { exists, madeOnce } from './cache.js';
import { kernelPackage, unpackedKernel, type PackageSource } from './debian-packages.js';
import { runCommand } from './run-command.js';

const L1 = fileURLToPath(new URL('../l1/', import.meta.url));
const GUEST = fileURLToPath(new URL('../guest/', import.meta.url));

/** A Debian kernel, ready to be booted by QEMU. */
export interface Kernel {
  release: string;
  /** Uncompressed, for QEMU to start it by its PVH entry: to unpack itself takes a kernel half of the boot under emulation. */
  image: string;
  /** Holds `RELEASE/`, as /lib/modules does. */
  modules: string;
  /** Initramfs of the lab's host. */
  hostInitramfs: string;
  /** Initramfs of the guest in it. */
  guestInitramfs: string;
  /** Arguments of the host's kernel, besides or in the place of those that every host has. */
  arguments?: readonly string[];
}

/** What the host's initramfs needs to mount its userland. */
const HOST_MODULES = ['virtio_pci', '9pnet_virtio', '9p', 'overlay'];
/** What a guest needs to use the devices that it is given. */
const GUEST_MODULES = ['nvme', 'e1000e', 'virtio_console', 'virtio_pci'];

/** Fetches the kernel that a suite's `linux-image-amd64` stands for and builds both initramfs images. */
export async function prepareKernel(source: PackageSource): Promise<Kernel> {
  const name = await kernelPackage('linux-image-amd64', source);
  const root = await unpackedKernel(name, source);
  // Where /usr is merged a package has its modules below usr/lib only.
  if (!(await exists(join(root, 'lib')))) await symlink('usr/lib', join(root, 'lib'));
  const modules = join(root, 'lib/modules');
  const release = (await readdir(modules))[0]!;
  if (!(await exists(join(modules, release, 'modules.dep.bin'))))
    await runCommand('depmod', ['-b', root, release]);
  return {
    release,
    image: await unpackedImage(release, await kernelImage(root, release)),
    modules,
    hostInitramfs: await initramfs(`host-${release}`, join(L1, 'init'), { modules, release }, HOST_MODULES),
    guestInitramfs: await initramfs(
      `guest-${release}`,
      join(GUEST, 'init'),
      { modules, release },
      GUEST_MODULES,
    ),
  };
}

async function kernelImage(root: string, release: string): Promise<string> {
  const candidates = [
    join(root, 'boot', `vmlinuz-${release}`),
    join(root, 'usr/lib/modules', release, 'vmlinuz'),
  ];
  for (const image of candidates) if (await exists(image)) return image;
  throw new Error(`no kernel image below ${root}`);
}

/** Of a bzImage: where its compressed kernel lies (Linux's Documentation/arch/x86/boot.rst). */
const BZIMAGE = { setupSectors: 0x1f1, payloadOffset: 0x248, payloadLength: 0x24c };
const ZSTD_MAGIC = 0xfd2f_b528;

async function unpackedImage(release: string, image: string): Promise<string> {
  return madeOnce(`vmlinux/${release}`, async (path) => {
    const bzImage = await readFile(image);
    const start = (bzImage[BZIMAGE.setupSectors]! + 1) * 512 + bzImage.readUInt32LE(BZIMAGE.payloadOffset);
    const payload = bzImage.subarray(start, start + bzImage.readUInt32LE(BZIMAGE.payloadLength));
    await writeFile(`${path}.packed`, payload);
    const unpack = payload.readUInt32LE(0) === ZSTD_MAGIC ? 'zstd -qdc' : 'xz -dc';
    // The kernel's build appends the unpacked size, which both programs take for rubbish: what counts is what comes out.
    await runCommand('sh', ['-c', `${unpack} <'${path}.packed' >'${path}' 2>/dev/null; rm '${path}.packed'`]);
    const file = await open(path);
    const { buffer } = await file.read(Buffer.alloc(4), 0, 4, 0);
    await file.close();
    if (buffer.toString('latin1') !== '\x7fELF') throw new Error(`${image} does not unpack to an ELF image`);
  });
}

/** A busybox, our `init`, and modules in the order in which they are to be loaded. */
async function initramfs(
  name: string,
  init: string,
  kernel: { modules: string; release: string },
  wanted: readonly string[],
): Promise<string> {
  const stamp = await runCommand('sh', ['-c', `cat '${init}' | sha256sum | cut -c1-12`]);
  return madeOnce(`initramfs/${name}-${stamp.trim()}.gz`, async (path) => {
    const tree = `${path}.tree`;
    for (const directory of ['bin', 'dev', 'proc', 'sys', 'root', 'lower', 'layer', 'modules']) {
      await mkdir(join(tree, directory), { recursive: true });
    }
    await copyFile('/bin/busybox', join(tree, 'bin/busybox'));
    await copyFile(init, join(tree, 'init'));
    const order: string[] = [];
    for (const file of await moduleFiles(kernel, wanted)) {
      const plain = basename(file).replace(/\.(xz|zst)$/, '');
      const unpack = file.endsWith('.xz') ? 'xz -dc' : file.endsWith('.zst') ? 'zstd -qdc' : 'cat';
      await runCommand('sh', ['-c', `${unpack} '${file}' >'${join(tree, 'modules', plain)}'`]);
      order.push(plain);
    }
    await writeFile(join(tree, 'modules/order'), `${order.join('\n')}\n`);
    await runCommand(
      'sh',
      ['-c', `chmod 0755 init && find . | cpio -o -H newc --quiet | gzip -1 >'${path}' && rm -rf '${tree}'`],
      { cwd: tree },
    );
  });
}

/** Files of modules and all that they depend on, dependencies first; what is built into the kernel has none. */
async function moduleFiles(
  { modules, release }: { modules: string; release: string },
  wanted: readonly string[],
): Promise<string[]> {
  const files: string[] = [];
  for (const module of wanted) {
    const answer = await runCommand('modprobe', [
      '-d',
      join(modules, '../..'),
      '-S',
      release,
      '-D',
      module,
    ]).catch(() => '');
    for (const [, file] of answer.matchAll(/^insmod (\S+)/gm)) if (!files.includes(file!)) files.push(file!);
  }
  return files;
}
