import { REACH, SPANNING } from '../../src/mitigation/coverage.js';
import { unassignedAttempts } from '../accesses/unassigned.js';
import type { Observation } from '../evidence/observation.js';
import { attemptsOf, type DeviceFacts, type LabExposure } from '../exposures/exposure.js';
import type { LabMechanism } from '../mechanisms/lab-mechanism.js';
import { hostFor } from '../outside/host-for.js';
import { aliasOf, domainXml, hostdevXml } from '../outside/lab-domain.js';
import type { LabHost } from '../outside/lab-host.js';
import { circumstancesDomain } from '../outside/lab-policy.js';
import { expectPlanned, observeGuest } from '../outside/observe-column.js';
import { PausedGuest } from '../outside/paused-guest.js';
import type { LabCase } from './lab-case.js';

/** PCI_CAP_ID_VNDR */
const VENDOR = 0x09;
/** How long a mechanism may take until it acts on a VM that runs. */
const ACTS_WITHIN_MS = 30_000;

/** What every mechanism closes by its standard behaviour: bytes of no capability from 0x100 on. */
const UNASSIGNED: LabExposure = {
  row: 'unassigned-extended',
  attempts: ({ layout }) => unassignedAttempts(layout, 0x100, 0x1000),
};

/** One write to a dword whose first two bytes are a vendor's, which the policy leaves open, and the others nobody's. */
const SPANNING_WRITE: LabExposure = {
  row: 'unassigned-legacy',
  attempts: ({ layout }) => {
    const { start, length } = layout.capabilities.find(({ extended, id }) => !extended && id === VENDOR)!;
    const end = start + length;
    return attemptsOf(
      [{ space: 'config', offset: end - 2, size: 4, value: 0x6b5d_4937 }],
      'spanning',
    ).flatMap((attempt) => [
      { ...attempt, what: 'open part', arrival: { kind: 'config', offset: end - 2, size: 2, bits: 0x37 } },
      { ...attempt, what: 'closed part', arrival: { kind: 'config', offset: end, size: 2, bits: 0x5d } },
    ]);
  },
};

/** A mechanism in one circumstance; what was claimed of it, and what was seen. */
interface Look {
  claimed: string;
  seen: string;
}

export default [
  {
    name: 'circumstances',
    summary:
      'an access to closed and other bytes at once, a device attached to a running VM, a mechanism switched on under one',
    byDefault: true,
    async run({ guarded, mechanisms, demanded, say }) {
      const result = { seen: [] as string[], failures: [] as string[] };
      for (const mechanism of mechanisms) {
        const { column } = mechanism;
        if (column === 'none') continue;
        say(`circumstances: ${column}`);
        const ready = await hostFor(mechanism, guarded);
        if (typeof ready === 'string') {
          result[demanded.has(column) ? 'failures' : 'seen'].push(`${column}: not run: ${ready}`);
          continue;
        }
        const { host, devices } = ready;
        const [odd, express, nvme] = ['vital-product-data', 'virtio-net', 'nvme'].map((name) =>
          devices.find(({ device }) => device.name === name)!,
        );
        const looks = [
          ...(await spanningAndHotPlug(host, mechanism, [odd!, express!], nvme!)),
          await alreadyRunning(host, mechanism, nvme!),
        ];
        for (const { claimed, seen } of looks) {
          const line = `${column}: ${claimed}; seen: ${seen}`;
          result.seen.push(line);
          if (!claimed.endsWith(seen)) result.failures.push(line);
        }
      }
      return result;
    },
  },
] satisfies LabCase[];

/** A VM that started with devices, the first one with a dword of mixed ownership, and gets another one. */
async function spanningAndHotPlug(
  host: LabHost,
  mechanism: LabMechanism,
  devices: readonly DeviceFacts[],
  later: DeviceFacts,
): Promise<Look[]> {
  const { column } = mechanism;
  if (column === 'none') return [];
  return withGuest(host, mechanism, devices, async (name) => {
    await expectPlanned(host, name, mechanism.mitigations);
    const before = await PausedGuest.of(host, name);
    const spanning = await observeGuest(host, before, column, devices.slice(0, 1), [SPANNING_WRITE]);
    const file = `/tmp/${name}-later.xml`;
    await host.agent.writeFile(file, hostdevXml(later.bdf, aliasOf(later.device)));
    await host.virsh(['attach-device', name, file]);
    const after = await PausedGuest.of(host, name);
    const attached = await observeGuest(host, after, column, [later], [UNASSIGNED]);
    return [
      { claimed: `access to closed and other bytes: ${SPANNING[column]}`, seen: spanningSeen(spanning) },
      { claimed: `hot-plugged: ${REACH['hot-plugged'][column] ? 'closed' : 'open'}`, seen: seenOf(attached) },
    ];
  });
}

/** A VM that started while the host's switch was off. */
async function alreadyRunning(host: LabHost, mechanism: LabMechanism, device: DeviceFacts): Promise<Look> {
  const { column } = mechanism;
  if (column === 'none') throw new Error('nothing can be switched on');
  const closes = REACH['already-running'][column];
  await host.turn('off');
  return withGuest(host, mechanism, [device], async (name) => {
    const guest = await PausedGuest.of(host, name);
    const look = async () => seenOf(await observeGuest(host, guest, column, [device], [UNASSIGNED]));
    const before = await look();
    await host.turn('enforce');
    const deadline = Date.now() + ACTS_WITHIN_MS;
    let after = await look();
    // Until the service has looked at the VM the guard's standard holds for its device, if there is a guard.
    const expected = closes ? 'closed' : 'open';
    while (after !== expected && Date.now() < deadline) after = await look();
    const seen = before === 'open' ? after : `${before} before it was switched on`;
    return { claimed: `VM already running: ${closes ? 'closed' : 'open'}`, seen };
  }).finally(async () => host.turn('enforce'));
}

async function withGuest<T>(
  host: LabHost,
  { column, emulator }: LabMechanism,
  devices: readonly DeviceFacts[],
  work: (name: string) => Promise<T>,
): Promise<T> {
  const name = circumstancesDomain(column);
  const xml = domainXml({ name, devices, emulator, qemuArguments: PausedGuest.qemuArguments(name) });
  await host.agent.writeFile(`/tmp/${name}.xml`, xml);
  await host.virsh(['define', `/tmp/${name}.xml`]);
  await host.start(name, { paused: true });
  try {
    return await work(name);
  } finally {
    await host.virsh(['destroy', name]).catch(() => undefined);
    await host.virsh(['undefine', name]).catch(() => undefined);
  }
}

/** `closed` or `open` where all accesses agree and the control writes around them were seen. */
function seenOf(observations: readonly Observation[]): string {
  const controls = observations.filter(({ subject }) => subject === 'control');
  if (controls.length < 2 || !controls.every(({ arrived }) => arrived)) return 'no control write';
  const tried = observations.filter(({ subject }) => subject === UNASSIGNED.row);
  if (tried.length === 0) return 'no access';
  if (tried.every(({ arrived }) => !arrived)) return 'closed';
  return tried.every(({ arrived }) => arrived) ? 'open' : 'open in part';
}

function spanningSeen(observations: readonly Observation[]): string {
  const arrived = (part: string) => observations.find(({ what }) => what === part)?.arrived;
  const closed = arrived('closed part');
  if (arrived('open part')) return closed ? 'none' : 'cut';
  return closed ? 'the closed part arrived alone' : 'whole';
}
