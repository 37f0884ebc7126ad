import { setTimeout } from 'node:timers/promises';
import { hostFor } from '../outside/host-for.js';
import type { LabHost } from '../outside/lab-host.js';
import type { LabCase } from './lab-case.js';

const PARAMETER = '/sys/module/vfio_pci_core/parameters/block_pci_unassigned_write';
const READS = '/sys/module/vfio_pci_core/parameters/block_pci_unassigned_read';
const OWN_FILE = '/etc/modprobe.d/vfio-warden.conf';
/** The service looks every 5 seconds; an emulated processor takes its time. */
const PUT_RIGHT_WITHIN_MS = 60_000;

export default [
  {
    name: 'parameters-managed',
    summary:
      "the RFC's parameters changed by hand, their module loaded again, the switch turned, the service killed: put right, kept, given back",
    byDefault: false,
    async run({ guarded, mechanisms, demanded }) {
      const mechanism = mechanisms.find(({ column }) => column === 'kernel-parameters');
      const ready = mechanism ? await hostFor(mechanism, guarded) : 'its column was not chosen';
      if (typeof ready === 'string') {
        const notRun = [`not run: ${ready}`];
        return demanded.has('kernel-parameters')
          ? { seen: [], failures: notRun }
          : { seen: notRun, failures: [] };
      }
      const { host } = ready;
      const result = { seen: [] as string[], failures: [] as string[] };
      const expect = async (what: string, value: 'Y' | 'N') =>
        result[(await becomes(host, value)) ? 'seen' : 'failures'].push(`${what}: ${await valueOf(host)}`);

      await expect('to begin with', 'Y');
      const reads = (await host.agent.exec(['cat', READS])).out.trim();
      result[reads === 'Y' ? 'seen' : 'failures'].push(`reads, which its policy closes, too: ${reads}`);
      await host.agent.run(['sh', '-c', `echo N >${PARAMETER}`]);
      await expect('set to N by hand', 'Y');
      const reload = 'modprobe -r vfio_pci vfio_pci_core && modprobe vfio-pci';
      const loaded = (await host.agent.run(['sh', '-c', `${reload} && cat ${PARAMETER}`])).trim();
      result[loaded === 'Y' ? 'seen' : 'failures'].push(`right after its module was loaded again: ${loaded}`);
      await host.turn('off');
      await expect('switch off', 'N');
      const left = (await host.agent.exec(['cat', OWN_FILE])).code === 0;
      result[left ? 'failures' : 'seen'].push(`${OWN_FILE} is ${left ? 'still there' : 'gone'}`);
      await host.turn('enforce');
      await expect('switch at enforce again', 'Y');
      await host.killService();
      await expect('service killed', 'Y');
      await host.restartService();
      const why = await host.untilCapable(({ kernelParameters }) => kernelParameters);
      if (why !== undefined) result.failures.push(`after its restart the service says: ${why}`);
      const { items } = (await host.api('/v1/events?limit=100')) as { items: { kind: string }[] };
      const drifts = items.filter(({ kind }) => kind === 'parameters-drift').length;
      result[drifts > 0 ? 'seen' : 'failures'].push(`${drifts} drifts are in the history`);
      return result;
    },
  },
] satisfies LabCase[];

async function valueOf(host: LabHost): Promise<string> {
  return (await host.agent.exec(['cat', PARAMETER])).out.trim();
}

async function becomes(host: LabHost, value: string): Promise<boolean> {
  for (const deadline = Date.now() + PUT_RIGHT_WITHIN_MS; ;) {
    if ((await valueOf(host)) === value) return true;
    if (Date.now() > deadline) return false;
    await setTimeout(500);
  }
}
