import { COVERAGE } from '../../src/mitigation/coverage.js';
import { compare } from '../evidence/compare.js';
import { domainXml } from '../outside/lab-domain.js';
import { observeGuest, type GuestAccess } from '../outside/observe-column.js';
import { PausedGuest } from '../outside/paused-guest.js';
import type { LabCase } from './lab-case.js';

export default [
  {
    name: 'lab-itself',
    summary: 'a wrong claim, a dead trace and a guest that never wrote each make the lab fail',
    byDefault: true,
    async run({ guarded, exposures }) {
      const { host, devices } = await guarded();
      const nvme = devices.filter(({ device }) => device.name === 'nvme');
      const name = 'lab-none';
      const qemuArguments = PausedGuest.qemuArguments(name);
      await host.agent.writeFile(`/tmp/${name}.xml`, domainXml({ name, devices: nvme, qemuArguments }));
      await host.virsh(['create', '--paused', `/tmp/${name}.xml`]);
      try {
        const guest = await PausedGuest.of(host, name);
        const observe = async (by: GuestAccess) => observeGuest(host, by, 'none', nvme, exposures);
        const honestly: GuestAccess = {
          write: async (bdf, write) => guest.write(bdf, write),
          canAddress: (write) => guest.canAddress(write),
          closeBars: async (bdf) => guest.closeBars(bdf),
          takeVfioWrites: async () => guest.takeVfioWrites(),
        };
        const honest = await observe(honestly);
        await host.machine.monitorCommand('trace-event pci_cfg_write off');
        const blind = await observe(guest);
        await host.machine.monitorCommand('trace-event pci_cfg_write on');
        const mute = await observe({ ...honestly, write: async () => undefined });

        const asBus = honest.map((at) => ({ ...at, column: 'conventional-bus' as const }));
        const row = 'unassigned-extended';
        const truth = compare(asBus, ['conventional-bus']).cells.find((cell) => cell.row === row)!.seen;
        const wrong = structuredClone(COVERAGE);
        wrong[row]['conventional-bus'] = truth === 'closed' ? 'no' : 'yes';
        const expected: [what: string, failures: string[], sign: RegExp][] = [
          [
            'a wrong claim',
            compare(asBus, ['conventional-bus'], wrong).failures,
            /^unassigned-extended x conventional-bus: claimed/,
          ],
          ['a dead trace', compare(blind, ['none']).failures, /^none, nvme: the control write was not seen/],
          ['a guest that never wrote', compare(mute, ['none']).failures, /was not carried out by the guest$/],
        ];
        const missed = expected.filter(
          ([, failures, sign]) => !failures.some((failure) => sign.test(failure)),
        );
        return {
          seen: expected.map(([what, failures]) => `${what}: ${failures.length} differences told`),
          failures: missed.map(([what]) => `${what} went unnoticed`),
        };
      } finally {
        await host.virsh(['destroy', name]).catch(() => undefined);
      }
    },
  },
] satisfies LabCase[];
