import { truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { LabDevice } from '../devices/device.js';
import type { Kernel } from '../prepare/kernel.js';

export interface HardwareOptions {
  kernel: Kernel;
  /** The host's userland: a directory with a Debian system, `/` for this machine's own. */
  userland: string;
  /** The project's directory on this machine. */
  project: string;
  /** Each gets a root port of its own. */
  devices: readonly LabDevice[];
  /** Whether the machine's clock counts instructions, one a nanosecond, on one processor: for figures that repeat. */
  countInstructions?: boolean;
  /** Whether systemd boots the host, with Debian's units, and not a script of the lab's. */
  systemd?: boolean;
}

/** What the outer QEMU is started with. */
export interface Hardware {
  arguments: string[];
  /** Devices that are played outside of it, each over a descriptor from 3 on. */
  players: NonNullable<LabDevice['play']>[];
}

/** Files of a machine, in its directory. */
export const FILES = {
  agent: 'agent.sock',
  monitor: 'monitor.sock',
  trace: 'hardware.trace',
  console: 'console.log',
  log: 'qemu.log',
};

/**
 * Without what only costs time under emulation: mitigations of real processors, five levels of page tables; and without the
 * question whether the timer's interrupts come in time, which on a busy machine they may not.
 */
const KERNEL_ARGUMENTS = [
  ...[
    'console=ttyS0',
    'quiet',
    'loglevel=4',
    'intel_iommu=on',
    'iommu=nopt',
    'panic=-1',
    'unknown_nmi_panic',
  ],
  ...['random.trust_cpu=on', 'mitigations=off', 'no5lvl', 'nowatchdog', 'audit=0', 'no_timer_check'],
];

/**
 * A port of more than 2.5 GT/s reports whether its link is active, and QEMU's says no after the bus reset by which the
 * kernel resets a device without FLR: the kernel would wait for it, in vain.
 */
const SLOW_LINK = 'x-speed=2_5,x-width=1';

/** Puts the hardware of a lab host together: an IOMMU, a root port a device, and where it boots from. */
export async function hardwareOf(options: HardwareOptions, directory: string): Promise<Hardware> {
  const { kernel, userland, project, devices, countInstructions = false, systemd = false } = options;
  const file = (name: keyof typeof FILES) => join(directory, FILES[name]);
  const start = systemd ? 'systemd' : 'start';
  const { players, arguments: deviceArguments } = await plugIn(devices, directory);
  return {
    players,
    arguments: [
      ...(countInstructions
        ? ['-accel', 'tcg,thread=single', '-icount', 'shift=0,sleep=off', '-smp', '1']
        : ['-accel', 'tcg,thread=multi', '-smp', '2']),
      ...['-cpu', 'max', '-m', '4096'],
      ...['-object', 'memory-backend-memfd,id=memory,size=4096M,share=on'],
      ...['-machine', 'q35,kernel-irqchip=split,memory-backend=memory'],
      ...['-nodefaults', '-nographic', '-no-reboot', '-serial', `file:${file('console')}`],
      ...['-kernel', kernel.image, '-initrd', kernel.hostInitramfs],
      ...['-append', [...kernelArguments(kernel), `lab.project=${project}`, `lab.start=${start}`].join(' ')],
      ...['-device', 'intel-iommu,intremap=on,caching-mode=on'],
      ...[...share('userland', userland), ...share('machine', '/'), ...share('kernel', kernel.modules)],
      ...['-device', 'virtio-serial-pci', '-chardev', `socket,id=agent,path=${file('agent')}`],
      ...['-device', 'virtserialport,chardev=agent,name=agent'],
      ...['-chardev', `socket,id=monitor,path=${file('monitor')}`, '-mon', 'chardev=monitor,mode=control'],
      ...deviceArguments,
      ...['-trace', 'pci_cfg_write', '-D', file('trace')],
    ],
  };
}

/** A kernel's own argument takes the place of ours: of two the first one would keep some of its effect. */
function kernelArguments({ arguments: own = [] }: Kernel): string[] {
  const keyOf = (argument: string) => argument.split('=')[0];
  const keys = new Set(own.map(keyOf));
  return [...KERNEL_ARGUMENTS.filter((argument) => !keys.has(keyOf(argument))), ...own];
}

/** The id of a device's root port. */
export function portOf(devices: readonly LabDevice[], device: LabDevice): string {
  return `port${devices.findIndex(({ name }) => name === device.name)}`;
}

async function plugIn(devices: readonly LabDevice[], directory: string): Promise<Hardware> {
  const players: Hardware['players'] = [];
  const words: string[] = [];
  for (const [index, device] of devices.entries()) {
    const port = portOf(devices, device);
    const fd = device.play ? String(2 + players.push(device.play)) : '';
    if (device.disk !== undefined) {
      const image = join(directory, `${device.name}.img`);
      await writeFile(image, '');
      await truncate(image, device.disk * 1024 * 1024);
    }
    words.push('-device', `pcie-root-port,id=${port},slot=${index + 1},chassis=${index + 1},${SLOW_LINK}`);
    for (const word of device.arguments) {
      words.push(word.replace('$PORT', port).replace('$DIR', directory).replace('$FD', fd));
    }
  }
  return { players, arguments: words };
}

function share(tag: string, path: string): string[] {
  return [
    ...['-fsdev', `local,id=${tag},path=${path},security_model=none,readonly=on,multidevs=remap`],
    ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
  ];
}
