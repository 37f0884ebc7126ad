import type { LabHost } from '../outside/lab-host.js';
import { PATCHED_EMULATOR } from '../outside/lab-host.js';
import { filterReadBack } from '../outside/filter-read-back.js';
import { patchedQemu } from '../prepare/patched-qemu.js';
import type { LabMechanism } from './lab-mechanism.js';

/** Beside the host's own QEMU, and under another name, so that both kinds of domains run on one host. */
async function install(host: LabHost): Promise<void> {
  const binary = await patchedQemu(host.name);
  await host.agent.run(['install', '-m', '0755', `/machine${binary}`, PATCHED_EMULATOR]);
}

/** The service finds it at its next look at the host. */
async function missing(host: LabHost): Promise<string | undefined> {
  await install(host);
  return host.untilCapable(
    ({ qemuConfigFilter }) =>
      qemuConfigFilter.others?.[PATCHED_EMULATOR]?.property ?? {
        state: 'unknown',
        detail: 'the service was not told of the patched QEMU',
      },
  );
}

/** The property of a QEMU with our patches. */
export default {
  column: 'filter-property',
  mitigations: ['qemu-config-filter'],
  emulator: PATCHED_EMULATOR,
  install: async (host) => install(host).catch(() => undefined), // `missing` says why
  missing,
  afterwards: async (host) => filterReadBack(host, 'filter-property'),
} satisfies LabMechanism;
