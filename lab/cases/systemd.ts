import type { DeviceFacts } from '../exposures/exposure.js';
import { named } from '../outside/guarded-guests.js';
import { labPolicy, labRisks } from '../outside/lab-policy.js';
import { SystemdNode } from '../outside/systemd-node.js';
import { buildGuard } from '../prepare/guard-program.js';
import type { CaseResult, LabCase } from './lab-case.js';

export default [
  {
    name: 'systemd',
    summary:
      "a node that systemd boots, as the docs say: installed, libvirt's sockets taken over and given back, booted anew, removed",
    byDefault: false,
    async run({ bySystemd, mechanisms }) {
      const result: CaseResult = { seen: [], failures: [] };
      // The host has the project read-only.
      await buildGuard();
      const { host, devices } = await bySystemd();
      try {
        const node = new SystemdNode(
          host,
          named(devices, 'nvme', 'e1000e') as [DeviceFacts, DeviceFacts],
          result,
        );
        await host.configureWarden([labPolicy(mechanisms.filter((each) => !each.kernel)), labRisks()]);
        await node.install();
        const guest = await node.startGuest();
        await node.policiesByGit();
        await node.takeOver(guest);
        await node.killService();
        await node.upgrade(await node.bootAnew());
        await node.switchWithoutService();
        await node.giveBack();
        await node.remove();
      } catch (error) {
        result.failures.push((error as Error).message);
      } finally {
        await host.off();
      }
      return result;
    },
  },
] satisfies LabCase[];
