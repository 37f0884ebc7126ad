import { setTimeout } from 'node:timers/promises';
import type { DeviceFacts } from '../exposures/exposure.js';
import type { LabMechanism } from '../mechanisms/lab-mechanism.js';
import { hostFor } from '../outside/host-for.js';
import { domainXml } from '../outside/lab-domain.js';
import type { LabHost } from '../outside/lab-host.js';
import { READS_DOMAIN } from '../outside/lab-policy.js';
import { expectPlanned } from '../outside/observe-column.js';
import { PausedGuest } from '../outside/paused-guest.js';
import type { LabCase } from './lab-case.js';

/** Mechanisms of the host itself, which a policy's `unassignedReads` reaches in a VM that runs. */
const COLUMNS = ['kernel-guard', 'kernel-parameters'];
/** Milliseconds until a switch that was turned acts on a VM that runs. */
const ACTS_WITHIN_MS = 60_000;

export default [
  {
    name: 'reads',
    summary:
      'a rule with unassignedReads: a guest reads zeros where hardware has a capability that vfio hides',
    byDefault: false,
    async run({ guarded, mechanisms, demanded, say }) {
      const result = { seen: [] as string[], failures: [] as string[] };
      for (const mechanism of mechanisms.filter(({ column }) => COLUMNS.includes(column))) {
        say(`reads: ${mechanism.column}`);
        const ready = await hostFor(mechanism, guarded);
        if (typeof ready === 'string') {
          const list = demanded.has(mechanism.column) ? 'failures' : 'seen';
          result[list].push(`${mechanism.column}: not run: ${ready}`);
          continue;
        }
        try {
          const { closed, open } = await readBothWays(ready.host, mechanism, ready.devices);
          const line = `${mechanism.column}: 0x${closed.toString(16)} is read, and 0x${open.toString(16)} with the switch off`;
          result[closed === 0 && open !== 0 ? 'seen' : 'failures'].push(line);
        } catch (error) {
          result.failures.push(`${mechanism.column}: ${(error as Error).message}`);
        }
      }
      return result;
    },
  },
] satisfies LabCase[];

/** What a guest reads of the header of a capability that vfio hides, under the mechanism and without it. */
async function readBothWays(
  host: LabHost,
  { mitigations }: LabMechanism,
  devices: readonly DeviceFacts[],
): Promise<{ closed: number; open: number }> {
  const { facts, offset } = hiddenHeader(devices);
  const xml = domainXml({
    name: READS_DOMAIN,
    devices: [facts],
    qemuArguments: PausedGuest.qemuArguments(READS_DOMAIN),
  });
  await host.agent.writeFile(`/tmp/${READS_DOMAIN}.xml`, xml);
  await host.virsh(['define', `/tmp/${READS_DOMAIN}.xml`]);
  try {
    await host.start(READS_DOMAIN, { paused: true });
    await expectPlanned(host, READS_DOMAIN, mitigations);
    const guest = await PausedGuest.of(host, READS_DOMAIN);
    const closed = await guest.read(facts.bdf, offset, 4);
    await host.turn('off');
    let open = 0;
    for (const deadline = Date.now() + ACTS_WITHIN_MS; open === 0 && Date.now() < deadline;) {
      open = await guest.read(facts.bdf, offset, 4);
      if (open === 0) await setTimeout(500);
    }
    return { closed, open };
  } finally {
    await host.turn('enforce');
    await host.virsh(['destroy', READS_DOMAIN]).catch(() => undefined);
    await host.virsh(['undefine', READS_DOMAIN]).catch(() => undefined);
  }
}

/** Hardware answers there with something else than zeros: the capability's id. */
function hiddenHeader(devices: readonly DeviceFacts[]): { facts: DeviceFacts; offset: number } {
  for (const facts of devices) {
    const hidden = facts.layout.regions.find(
      ({ start, length, owner }) =>
        owner.kind === 'unassigned' && owner.hidden && start % 4 === 0 && length >= 4,
    );
    if (hidden) return { facts, offset: hidden.start };
  }
  throw new Error('no device here has a capability that vfio hides');
}
