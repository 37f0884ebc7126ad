import { mkdir, readdir } from 'node:fs/promises';
import { cached, madeOnce } from './cache.js';
import { runCommand } from './run-command.js';

/** What the lab itself needs on the machine that runs it, besides what the project's setup installs. */
const TOOLS = ['busybox-static', 'cpio', 'kmod', 'xz-utils', 'zstd', 'qemu-system-x86'];

/** Installs the tools of the lab where they are missing. */
export async function installTools(): Promise<void> {
  await installPackages(TOOLS);
}

export async function installPackages(packages: readonly string[]): Promise<void> {
  const missing: string[] = [];
  for (const name of packages) {
    const status = await runCommand('dpkg-query', ['-W', '-f', '${Status}', name]).catch(() => '');
    if (!status.includes('ok installed')) missing.push(name);
  }
  if (missing.length === 0) return;
  await runCommand('apt-get', ['update', '-q']);
  await runCommand('apt-get', ['install', '-q', '-y', '--no-install-recommends', ...missing]);
}

/** Where a suite's packages come from: this machine's own sources, or a userland of that suite. */
export interface PackageSource {
  /** Debian's userland to ask; the machine's own where not given. */
  root?: string;
}

/** The package of the kernel that a metapackage such as `linux-image-amd64` stands for today. */
export async function kernelPackage(metapackage: string, source: PackageSource): Promise<string> {
  const name = (await dependenciesOf(metapackage, source)).find((dependency) =>
    dependency.startsWith('linux-image-'),
  );
  if (name === undefined) throw new Error(`${metapackage} names no kernel`);
  return name;
}

/** Downloads a kernel's package, and those that newer suites split off from it, and unpacks them, once; nothing is run. */
export async function unpackedKernel(name: string, source: PackageSource): Promise<string> {
  return madeOnce(`unpacked/${name}`, async (path) => {
    const parts = (await dependenciesOf(name, source)).filter((dependency) =>
      /^linux-(binary|modules)-/.test(dependency),
    );
    await mkdir(path, { recursive: true });
    for (const part of [name, ...parts])
      await runCommand('dpkg', ['-x', await downloaded(part, source), path]);
  });
}

async function dependenciesOf(name: string, { root }: PackageSource): Promise<string[]> {
  const ask = async () => runCommand(...within(root, 'apt-cache', ['depends', name])).catch(() => '');
  let answer = await ask();
  if (!answer.includes('Depends: ')) {
    await runCommand(...within(root, 'apt-get', ['update', '-q']));
    answer = await ask();
  }
  return [...answer.matchAll(/Depends: (\S+)/g)].map(([, dependency]) => dependency!);
}

async function downloaded(name: string, { root }: PackageSource): Promise<string> {
  const directory = cached('debs');
  await mkdir(directory, { recursive: true });
  const find = async () => (await readdir(directory)).find((file) => file.startsWith(`${name}_`));
  const found = await find();
  if (found !== undefined) return `${directory}/${found}`;
  if (root === undefined) {
    await runCommand('apt-get', ['download', '-q', name], { cwd: directory });
  } else {
    await runCommand('chroot', [root, 'sh', '-c', `cd /tmp && apt-get download -q ${name}`]);
    await runCommand('sh', ['-c', `mv ${root}/tmp/${name}_*.deb ${directory}/`]);
  }
  return `${directory}/${(await find())!}`;
}

function within(root: string | undefined, command: string, args: string[]): [string, string[]] {
  return root === undefined ? [command, args] : ['chroot', [root, command, ...args]];
}
