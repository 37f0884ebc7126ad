import { installPackages } from './debian-packages.js';
import { madeOnce } from './cache.js';
import { runCommand } from './run-command.js';

/** What a node has: libvirt, QEMU, and what vfio-warden's hook and the lab's agent need. */
const PACKAGES = [
  ...['libvirt-daemon-system', 'libvirt-clients', 'qemu-system-x86', 'qemu-utils', 'ipxe-qemu', 'seabios'],
  ...[
    'python3',
    'python3-libvirt',
    'curl',
    'kmod',
    'procps',
    'iproute2',
    'pciutils',
    'ca-certificates',
    'libatomic1',
  ],
];

/** A Debian system of another suite in the lab's cache, as `chroot` takes it. */
export async function prepareUserland(suite: string, say: (text: string) => void): Promise<string> {
  return madeOnce(`userland-${suite}`, async (path) => {
    say(`putting a ${suite} userland together`);
    await installPackages(['mmdebstrap', 'debian-archive-keyring']);
    const mirror = (
      await runCommand('apt-get', [
        'indextargets',
        '--format',
        '$(REPO_URI) $(COMPONENT)',
        'Created-By: Packages',
      ])
    )
      .split('\n')
      .find((line) => line.endsWith(' main') && /debian\/? main$/.test(line));
    if (mirror === undefined) throw new Error("this machine's sources name no Debian mirror");
    await runCommand('mmdebstrap', [
      ...['--variant=minbase', '--mode=root', `--include=${PACKAGES.join(',')}`],
      // The newest suite is signed for a week at a time, and a mirror may be older.
      '--aptopt=Acquire::Check-Valid-Until "false"',
      ...['--aptopt=APT::Install-Recommends "false"', suite, path, mirror.split(' ')[0]!],
    ]);
  });
}
