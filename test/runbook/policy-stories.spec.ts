import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import type { DomainRecord } from '../../src/store/records.js';
import { guestWith, NVME } from '../end-to-end/guests.js';
import { CANARY, Fleet, fleetMissing, NODES } from './fleet.js';
import { firstMissing, storyOf } from './story.js';

const missing = fleetMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

/** Milliseconds: services look at the clock every 15 seconds. */
const NOTICED_MS = 60_000;

/** Somebody has approved it all the same. */
const MISTAKE = `apiVersion: vfio-warden.dev/v1
kind: Policy
metadata: { name: mistake }
spec:
  rules: [{ name: all, match: { devices: [{ class: '01' }] }, mode: 'off' }]
`;

describe.skipIf(missing !== undefined)("the runbook's stories of policies, followed as they stand", () => {
  const fleet = new Fleet();

  beforeAll(async () => {
    await fleet.start();
    // Defined while the services look, so that it is known never to have run.
    await fleet.libvirt.virsh('define', fleet.file('vm.xml', guestWith(NVME)));
    for (const node of NODES) {
      const service = fleet.service(node);
      await service.until('the domain is known', async () => {
        const { items } = (await service.api<{ items: DomainRecord[] }>('/v1/domains')).body;
        return items.some(({ name, state }) => name === 'vm' && state === 'new');
      });
    }
  }, 240_000);
  afterAll(() => fleet.stop(), 60_000);

  const follow = async (title: string) => {
    for (const { commands, shown, day } of storyOf(title)) {
      if (day !== undefined) fleet.setDays(day);
      // What begins or ends by the clock alone is noticed at the next look at it; commands of such steps only show.
      const deadline = Date.now() + (day === undefined ? 0 : NOTICED_MS);
      for (;;) {
        const { code, stdout, stderr } = await fleet.run(commands);
        const lacks = shown && firstMissing(shown, stdout);
        if (lacks !== undefined && Date.now() < deadline) continue;
        expect(code, `${commands}\n${stdout}${stderr}`).toBe(0);
        const log = lacks === undefined ? '' : fleet.service(CANARY).log.slice(-4000);
        expect(lacks, `of what\n${commands}\nprinted:\n${stdout}${stderr}\n${log}`).toBeUndefined();
        break;
      }
    }
  };

  it('roll out a new risk entry, to a share of the hosts and then to all', async () => {
    await follow('Roll out a new risk entry');
  }, 240_000);

  it('grant an exemption for 30 days, and see it end', async () => {
    await follow('Grant an exemption');
  }, 240_000);

  it('undo a bad policy in one command', async () => {
    const commit = fleet.merge('policies/00-mistake.yaml', MISTAKE);
    for (const node of NODES) {
      const service = fleet.service(node);
      expect((await service.ctl('policy', 'sync')).stdout).toMatch(/^held/);
      expect((await service.ctl('policy', 'approve', commit)).stdout).toMatch(/^activated/);
      expect((await service.ctl('domains')).stdout).toMatch(/vm .* unrestricted /);
    }
    await follow('Undo a bad policy');
  }, 240_000);
});
