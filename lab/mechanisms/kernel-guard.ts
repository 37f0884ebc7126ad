import type { LabHost } from '../outside/lab-host.js';
import { buildGuard } from '../prepare/guard-program.js';
import type { LabMechanism } from './lab-mechanism.js';

/** The guard is put where a package puts it; the service finds it at its next look, and attaches it. */
async function missing(host: LabHost): Promise<string | undefined> {
  try {
    await buildGuard();
  } catch (error) {
    return `it cannot be built on this machine: ${(error as Error).message.slice(0, 300)}`;
  }
  const binary = `${host.project}/kernel/guard/build/warden-guard`;
  await host.agent.run(['ln', '-sf', binary, '/usr/sbin/warden-guard']);
  return host.untilCapable(({ kernelGuard }) => kernelGuard);
}

/** The BPF program in the host's own, unchanged kernel. */
export default { column: 'kernel-guard', mitigations: ['kernel-guard'], missing } satisfies LabMechanism;
