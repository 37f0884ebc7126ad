import { unassignedAttempts } from '../accesses/unassigned.js';
import type { DeviceFacts } from '../exposures/exposure.js';
import type { LabMechanism } from '../mechanisms/lab-mechanism.js';
import { endGuest, expectClosed, expectWrites, named } from '../outside/guarded-guests.js';
import { hostFor } from '../outside/host-for.js';
import { domainXml } from '../outside/lab-domain.js';
import type { LabHost } from '../outside/lab-host.js';
import { EXEMPTED_DOMAIN } from '../outside/lab-policy.js';
import { expectPlanned } from '../outside/observe-column.js';
import { PausedGuest } from '../outside/paused-guest.js';
import type { CaseResult, LabCase } from './lab-case.js';

export default [
  {
    name: 'filter-exempted',
    summary:
      'two devices in one VM under a config filter, one of them exempt: closed for the one, open for the other',
    byDefault: false,
    async run({ guarded, mechanisms, demanded }) {
      const result: CaseResult = { seen: [], failures: [] };
      for (const mechanism of mechanisms) {
        if (!mechanism.mitigations.includes('qemu-config-filter')) continue;
        const ready = await hostFor(mechanism, guarded);
        if (typeof ready === 'string') {
          const told = demanded.has(mechanism.column) ? result.failures : result.seen;
          told.push(`${mechanism.column}: not run: ${ready}`);
        } else await oneIsExempt(ready.host, mechanism, ready.devices, result);
      }
      if (result.seen.length + result.failures.length === 0) result.failures.push('no filter was chosen');
      return result;
    },
  },
] satisfies LabCase[];

async function oneIsExempt(
  host: LabHost,
  { column, emulator, mitigations }: LabMechanism,
  all: readonly DeviceFacts[],
  result: CaseResult,
): Promise<void> {
  const [nvme, exempt] = named(all, 'nvme', 'virtio-net');
  const name = EXEMPTED_DOMAIN;
  const qemuArguments = PausedGuest.qemuArguments(name);
  const xml = domainXml({ name, devices: [nvme!, exempt!], emulator, qemuArguments });
  await host.agent.writeFile(`/tmp/${name}.xml`, xml);
  await host.virsh(['define', `/tmp/${name}.xml`]);
  try {
    await host.start(name, { paused: true });
    await expectPlanned(host, name, mitigations);
    const guest = await PausedGuest.of(host, name);
    await expectClosed(host, guest, nvme!, result, column);
    const writes = unassignedAttempts(exempt!.layout, 0x100, 0x1000).flatMap((attempt) => attempt.writes);
    await expectWrites(host, guest, exempt!, writes, true, result, `${column}, exempt`);
  } finally {
    await endGuest(host, name);
  }
}
