import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { filterReadBack } from '../outside/filter-read-back.js';
import type { LabHost } from '../outside/lab-host.js';
import type { LabMechanism } from './lab-mechanism.js';

const SOURCE = fileURLToPath(new URL('../../qemu/filter', import.meta.url));
const INSTALLED = '/usr/lib/vfio-warden/vfio-config-filter.so';
const APPARMOR = '/etc/apparmor.d/local/abstractions';

/** The library is put where a package puts it, and what confines QEMU is told of it. */
async function install(host: LabHost): Promise<void> {
  execFileSync('make', ['-s', '-C', SOURCE], { stdio: 'pipe' });
  const built = `${host.project}/qemu/filter/build/vfio-config-filter.so`;
  await host.agent.run(['install', '-D', '-m', '0755', built, INSTALLED]);
  await host.agent.run(['mkdir', '-p', APPARMOR]);
  await host.agent.writeFile(`${APPARMOR}/libvirt-qemu`, 'include <abstractions/vfio-warden-filter>\n');
}

/** The service finds it at its next look at the host. */
async function missing(host: LabHost): Promise<string | undefined> {
  await install(host);
  return host.untilCapable(({ qemuConfigFilter }) => qemuConfigFilter.preload);
}

/** The library in front of an unchanged QEMU's accesses. */
export default {
  column: 'filter-preload',
  mitigations: ['qemu-config-filter'],
  install,
  missing,
  afterwards: async (host) => filterReadBack(host, 'filter-preload'),
} satisfies LabMechanism;
