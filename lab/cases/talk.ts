import { distinctValue, type DeviceFacts, type GuestWrite } from '../exposures/exposure.js';
import { BadHardware, type Poison } from '../outside/bad-hardware.js';
import { hostFor } from '../outside/host-for.js';
import { portOf } from '../outside/hardware.js';
import { DIRECT, PROXY, type LabHost } from '../outside/lab-host.js';
import { domainXml } from '../outside/lab-domain.js';
import { PausedGuest } from '../outside/paused-guest.js';
import { deviceStillWorks } from '../outside/device-in-use.js';
import type { CaseResult, LabCase, LabContext } from './lab-case.js';

/** One failure of the table of "VFIO: Very Frightening I/O?", LPC 2025. */
interface TalkRow {
  row: number;
  what: string;
  /** The lab's device that stands for the anonymous one. */
  device: string;
  region: 'unassigned-extended' | 'power-management';
  writes: number;
  effect: Poison['effect'];
  /** Rows 9 and 10: the tenant has the machine, and no VFIO stands between. */
  bareMetal?: boolean;
}

const ROWS: TalkRow[] = [
  {
    row: 1,
    what: 'NVMe, vendor A dev1',
    device: 'nvme',
    region: 'unassigned-extended',
    writes: 1,
    effect: 'host-crash',
  },
  {
    row: 2,
    what: 'NVMe, vendor A dev1',
    device: 'nvme',
    region: 'unassigned-extended',
    writes: 1,
    effect: 'device-crash',
  },
  {
    row: 3,
    what: 'NVMe, vendor A dev2',
    device: 'nvme',
    region: 'unassigned-extended',
    writes: 1,
    effect: 'host-crash',
  },
  {
    row: 4,
    what: 'NVMe, vendor A dev2',
    device: 'nvme',
    region: 'unassigned-extended',
    writes: 1,
    effect: 'device-crash',
  },
  {
    row: 5,
    what: 'GPU, vendor B dev3',
    device: 'cxl-type3',
    region: 'unassigned-extended',
    writes: 1,
    effect: 'host-crash',
  },
  {
    row: 6,
    what: 'GPU, vendor B dev4',
    device: 'cxl-type3',
    region: 'unassigned-extended',
    writes: 3,
    effect: 'host-crash',
  },
  {
    row: 7,
    what: 'GPU, vendor B dev5',
    device: 'cxl-type3',
    region: 'unassigned-extended',
    writes: 3,
    effect: 'host-crash',
  },
  {
    row: 8,
    what: 'NIC, vendor C dev6',
    device: 'e1000e',
    region: 'power-management',
    writes: 1,
    effect: 'host-crash',
  },
  {
    row: 9,
    what: 'SmartNIC, vendor D dev7',
    device: 'e1000e',
    region: 'unassigned-extended',
    writes: 1,
    effect: 'device-crash',
    bareMetal: true,
  },
  {
    row: 10,
    what: 'SmartNIC, vendor E dev8',
    device: 'e1000e',
    region: 'unassigned-extended',
    writes: 3,
    effect: 'device-crash',
    bareMetal: true,
  },
];

export default ROWS.map((row): LabCase => ({
  name: `talk-row-${row.row}`,
  summary: `${row.what}: ${row.writes === 1 ? 'one write' : `${row.writes} writes`}, ${row.region}${row.bareMetal ? ', bare metal' : ''}: ${row.effect}`,
  byDefault: row.row === 3,
  run: async (context) => (row.bareMetal ? bareMetal(context, row) : inGuest(context, row)),
}));

/** First without vfio-warden, where the device has its way; then with it. */
async function inGuest(context: LabContext, row: TalkRow): Promise<CaseResult> {
  const seen: string[] = [];
  const failures: string[] = [];
  const bare = await context.bare();
  try {
    const { hits, effect } = await attack(bare.host, bare.devices, row, DIRECT);
    seen.push(`without vfio-warden: ${hits} writes reached the device; ${effect}`);
    if (!effect.startsWith(row.effect)) failures.push(`without vfio-warden there was no ${row.effect}`);
  } finally {
    await bare.host.off();
  }

  const { host, devices } = await guardedHost(context, row);
  const { hits, effect } = await attack(host, devices, row, PROXY);
  seen.push(`with vfio-warden: ${hits} writes reached the device; ${effect}`);
  if (hits > 0 || effect !== 'nothing happened') {
    failures.push(`with vfio-warden the device was reached: ${effect}`);
  } else if (row.device === 'nvme') {
    seen.push(await deviceStillWorks(host, devices, `lab-talk-${row.row}`));
  }
  return { seen, failures };
}

/** Power management is legacy space: of what a stock host has only the guard closes it, so the guard has to be there. */
async function guardedHost(
  { guarded, mechanisms }: LabContext,
  { region }: TalkRow,
): ReturnType<LabContext['guarded']> {
  const guard = mechanisms.find(({ column }) => column === 'kernel-guard');
  if (region !== 'power-management' || !guard) return guarded();
  const ready = await hostFor(guard, guarded);
  if (typeof ready === 'string') throw new Error(`the kernel guard is not to be had: ${ready}`);
  return ready;
}

/** The writes of a guest's domain, and what becomes of the host. */
async function attack(
  host: LabHost,
  devices: readonly DeviceFacts[],
  row: TalkRow,
  uri: string,
): Promise<{ hits: number; effect: string }> {
  const facts = devices.find(({ device }) => device.name === row.device)!;
  const poison = poisonOf(facts, row);
  const name = `lab-talk-${row.row}`;
  await host.agent.writeFile(
    `/tmp/${name}.xml`,
    domainXml({ name, devices: [facts], qemuArguments: PausedGuest.qemuArguments(name) }),
  );
  await host.virsh(['define', `/tmp/${name}.xml`], uri);
  await host.start(name, { paused: true, uri });
  const guest = await PausedGuest.of(host, name, uri);
  const hardware = new BadHardware(
    host.machine,
    poison,
    portOf(
      devices.map(({ device }) => device),
      facts.device,
    ),
  );
  try {
    for (let count = 0; count < row.writes && host.machine.running; count += 1) {
      // A host that goes down in the middle of an access does not answer it.
      await guest.write(facts.bdf, writeOf(row, poison, count)).catch(() => undefined);
    }
    return { hits: hardware.hits, effect: await effectOn(host, hardware.hits >= row.writes) };
  } finally {
    hardware.stop();
    if (host.machine.running) {
      await host.virsh(['destroy', name], uri).catch(() => undefined);
      await host.virsh(['undefine', name], uri).catch(() => undefined);
    }
  }
}

/** The tenant is the host: it writes through sysfs, as any root does. */
async function bareMetal({ bare }: LabContext, row: TalkRow): Promise<CaseResult> {
  const { host, devices } = await bare();
  try {
    const facts = devices.find(({ device }) => device.name === row.device)!;
    const poison = poisonOf(facts, row);
    const hardware = new BadHardware(
      host.machine,
      poison,
      portOf(
        devices.map(({ device }) => device),
        facts.device,
      ),
    );
    for (let count = 0; count < row.writes; count += 1) {
      const { offset } = poison;
      const write = `printf '\\253' | dd of=/sys/bus/pci/devices/${facts.bdf}/config bs=1 seek=${offset} conv=notrunc`;
      await host.agent.run(['sh', '-c', write]);
    }
    const { hits } = hardware;
    const effect = await effectOn(host, hits >= row.writes);
    hardware.stop();
    return {
      seen: [`open: on bare metal no VFIO stands between: ${hits} writes reached the device; ${effect}`],
      failures: effect.startsWith(row.effect) ? [] : [`there was no ${row.effect}`],
    };
  } finally {
    await host.off();
  }
}

/** What the host did after the device was reached, or was not. */
async function effectOn(host: LabHost, reached: boolean): Promise<string> {
  if (!reached)
    return (await host.agent.exec(['true'])).code === 0 ? 'nothing happened' : 'the host does not answer';
  if (await host.machine.wentOff(8000)) {
    const panic = /Kernel panic[^\r\n]*/.exec(await host.machine.console())?.[0];
    return `host-crash (${panic ?? 'the machine went off'})`;
  }
  const log = await host.agent.run(['dmesg']);
  const fatal = /.*severity=Uncorrected \(Fatal\).*|.*Uncorrectable \(Fatal\).*|.*AER: .*[Ff]atal.*/.exec(
    log,
  )?.[0];
  return fatal === undefined
    ? 'nothing that the host noticed'
    : `device-crash (${fatal.replace(/^\[[^\]]*\] /, '')})`;
}

function poisonOf({ bdf, layout }: DeviceFacts, { region, writes, effect }: TalkRow): Poison {
  if (region === 'power-management') {
    const power = layout.capabilities.find(({ extended, id }) => !extended && id === 1)!;
    return { bdf, offset: power.start + 4, size: 4, writes, effect };
  }
  const gap = layout.regions
    .filter(({ start, owner }) => start >= 0x100 && owner.kind === 'unassigned' && !owner.hidden)
    .toSorted((a, b) => b.length - a.length)[0]!;
  return { bdf, offset: gap.start, size: gap.length, writes, effect };
}

function writeOf({ region }: TalkRow, { offset }: Poison, count: number): GuestWrite {
  const value = region === 'power-management' ? 0x03 : distinctValue(1, offset + count);
  return { space: 'config', offset, size: 1, value };
}
