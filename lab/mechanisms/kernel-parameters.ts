import type { HostAnswer } from '../../src/api/host.dto.js';
import type { LabHost } from '../outside/lab-host.js';
import { withParameters } from '../prepare/parameter-modules.js';
import type { LabMechanism } from './lab-mechanism.js';

/** Milliseconds: the kernel's log takes no record for some seconds after many, and the service looks every 5 seconds. */
const TOLD_WITHIN_MS = 60_000;

/** Guests have been kept from registers by now, and the kernel has told so. */
async function afterwards(host: LabHost): Promise<string> {
  const deadline = Date.now() + TOLD_WITHIN_MS;
  for (;;) {
    const { parameters } = (await host.api('/v1/host')) as HostAnswer;
    const { configured, live, verified } = parameters!;
    const said = `configured: ${configured.detail}; live: ${live.detail}; verified: ${verified.detail}`;
    const right = configured.state === 'as-wanted' && live.state === 'as-wanted';
    if (right && verified.state === 'seen') return said;
    if (!right || Date.now() > deadline) throw new Error(`the service says of the parameters: ${said}`);
    await new Promise((resolve) => setTimeout(resolve, 1000));
  }
}

/** The RFC's parameters, in a vfio-pci that has them; vfio-warden computes and sets them. */
export default {
  column: 'kernel-parameters',
  mitigations: ['kernel-parameters'],
  // They act on every device of the host: beside them no other mechanism could be seen.
  kernel: withParameters,
  missing: async (host) => host.untilCapable(({ kernelParameters }) => kernelParameters),
  afterwards,
} satisfies LabMechanism;
