import { spawn, type ChildProcess } from 'node:child_process';
import { createServer, type Server, type Socket } from 'node:net';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { setTimeout } from 'node:timers/promises';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import type { LabDevice } from '../devices/device.js';
import type { Kernel } from '../prepare/kernel.js';
import { Agent } from './agent.js';
import { HardwareTrace } from './hardware-trace.js';
import { Monitor } from './monitor.js';

export interface OuterMachineOptions {
  kernel: Kernel;
  /** The host's userland: a directory with a Debian system, `/` for this machine's own. */
  userland: string;
  /** The project's directory on this machine. */
  project: string;
  /** Each gets a root port of its own. */
  devices: readonly LabDevice[];
  /** More of the host's kernel command line. */
  kernelArguments?: string;
  /** Trace events of the outer QEMU besides `pci_cfg_write`. */
  trace?: readonly string[];
}

/**
 * A port of more than 2.5 GT/s reports whether its link is active, and QEMU's says no after the bus reset by which the kernel
 * resets a device without FLR: the kernel would wait for it, in vain.
 */
const SLOW_LINK = 'x-speed=2_5,x-width=1';

/** Seconds of boot after which the host is given up; two busy cores need some 30. */
const BOOT_TIMEOUT_S = 240;

/** The outer QEMU: hardware of the lab's host (L1), with an IOMMU, PCI Express devices, and a trace of what reaches them. */
export class OuterMachine {
  private constructor(
    readonly agent: Agent,
    readonly hardware: HardwareTrace,
    readonly directory: string,
    private readonly process: ChildProcess,
    private readonly monitor: Monitor,
    private readonly servers: readonly Server[],
  ) {}

  static async boot(options: OuterMachineOptions): Promise<OuterMachine> {
    const directory = await mkdtemp(join(tmpdir(), 'warden-lab-'));
    const agentPath = join(directory, 'agent.sock');
    const monitorPath = join(directory, 'monitor.sock');
    const [agentServer, agentSocket] = await acceptOne(agentPath);
    const [monitorServer, monitorSocket] = await acceptOne(monitorPath);
    const log = join(directory, 'qemu.log');
    closeSync(openSync(join(directory, 'hardware.trace'), 'w'));

    const { kernel, userland, project, devices } = options;
    const channels: NonNullable<LabDevice['play']>[] = [];
    const deviceArguments: string[] = [];
    for (const [index, device] of devices.entries()) {
      const port = `port${index}`;
      let fd = '';
      if (device.play) fd = String(2 + channels.push(device.play));
      if (device.disk !== undefined) {
        const image = join(directory, `${device.name}.img`);
        await writeFile(image, '');
        await truncate(image, device.disk * 1024 * 1024);
      }
      deviceArguments.push(
        '-device',
        `pcie-root-port,id=${port},slot=${index + 1},chassis=${index + 1},${SLOW_LINK}`,
      );
      for (const argument of device.arguments) {
        deviceArguments.push(argument.replace('$PORT', port).replace('$DIR', directory).replace('$FD', fd));
      }
    }
    const share = (tag: string, path: string) => [
      ...['-fsdev', `local,id=${tag},path=${path},security_model=none,readonly=on,multidevs=remap`],
      ...['-device', `virtio-9p-pci,fsdev=${tag},mount_tag=${tag}`],
    ];
    const qemu = openSync(log, 'w');
    const child = spawn(
      'qemu-system-x86_64',
      [
        ...['-accel', 'tcg,thread=multi', '-cpu', 'max', '-smp', '2', '-m', '4096'],
        ...['-object', 'memory-backend-memfd,id=memory,size=4096M,share=on'],
        ...['-machine', 'q35,kernel-irqchip=split,memory-backend=memory'],
        ...['-nodefaults', '-nographic', '-no-reboot'],
        ...['-serial', `file:${join(directory, 'console.log')}`],
        ...['-kernel', kernel.image, '-initrd', kernel.hostInitramfs],
        '-append',
        `console=ttyS0 quiet loglevel=4 intel_iommu=on iommu=nopt panic=-1 unknown_nmi_panic random.trust_cpu=on mitigations=off no5lvl nowatchdog audit=0 ` +
          `lab.project=${project} ${options.kernelArguments ?? ''}`,
        ...['-device', 'intel-iommu,intremap=on,caching-mode=on'],
        ...share('userland', userland),
        ...share('machine', '/'),
        ...share('kernel', kernel.modules),
        ...['-device', 'virtio-serial-pci', '-chardev', `socket,id=agent,path=${agentPath}`],
        ...['-device', 'virtserialport,chardev=agent,name=agent'],
        ...['-chardev', `socket,id=monitor,path=${monitorPath}`, '-mon', 'chardev=monitor,mode=control'],
        ...deviceArguments,
        ...['pci_cfg_write', ...(options.trace ?? [])].flatMap((event) => ['-trace', event]),
        ...['-D', join(directory, 'hardware.trace')],
      ],
      { stdio: ['ignore', qemu, qemu, ...channels.map(() => 'pipe' as const)] },
    );
    closeSync(qemu);
    for (const [index, play] of channels.entries()) play(child.stdio[3 + index] as unknown as Duplex);

    const ended = new Promise<never>((_, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => {
        void diagnose(directory).then((why) =>
          reject(new Error(`the outer QEMU ended (${signal ?? code}): ${why}`)),
        );
      });
    });
    ended.catch(() => undefined);
    try {
      const monitor = new Monitor(await Promise.race([monitorSocket, ended]));
      const agent = await Promise.race([
        // When QEMU ends its socket closes first; what it ended with says more.
        agentSocket
          .then(async (socket) => Agent.greet(socket, BOOT_TIMEOUT_S * 1000))
          .catch(async (error: Error) => {
            await Promise.race([ended, setTimeout(500)]);
            throw error;
          }),
        ended,
      ]);
      const hardware = new HardwareTrace(join(directory, 'hardware.trace'));
      return new OuterMachine(agent, hardware, directory, child, monitor, [agentServer, monitorServer]);
    } catch (error) {
      child.kill('SIGKILL');
      agentServer.close();
      monitorServer.close();
      throw new Error(
        `the lab host did not come up: ${(error as Error).message}; ${await diagnose(directory)}`,
        {
          cause: error,
        },
      );
    }
  }

  /** Whether the machine is still on: a host that has panicked is not. */
  get running(): boolean {
    return this.process.exitCode === null && this.process.signalCode === null;
  }

  /** Resolves when the machine goes off by itself, false if it does not within `ms`. */
  async wentOff(ms: number): Promise<boolean> {
    if (!this.running) return true;
    let timer: NodeJS.Timeout | undefined;
    const off = await Promise.race([
      new Promise<boolean>((resolve) => this.process.once('exit', () => resolve(true))),
      new Promise<boolean>((resolve) => (timer = globalThis.setTimeout(() => resolve(false), ms))),
    ]);
    clearTimeout(timer);
    return off;
  }

  /** A command of QEMU's human monitor, for what bad hardware does to its host. */
  async monitorCommand(command: string): Promise<string> {
    return this.monitor.command(command);
  }

  /** Four bytes at an address of the host's memory, or of a device's memory that it maps there. */
  async readMemory(address: number): Promise<number> {
    return Number((await this.monitorCommand(`xp /1wx 0x${address.toString(16)}`)).split(':')[1]);
  }

  /** The host's console. */
  async console(): Promise<string> {
    return readFile(join(this.directory, 'console.log'), 'utf8').catch(() => '');
  }

  async off(): Promise<void> {
    this.agent.close();
    this.monitor.close();
    if (this.running) {
      const exit = new Promise((resolve) => this.process.once('exit', resolve));
      this.process.kill('SIGKILL');
      await exit;
    }
    for (const server of this.servers) server.close();
    this.hardware.close();
    await rm(this.directory, { recursive: true, force: true });
  }
}

/** The end of what the machine and its console said. */
async function diagnose(directory: string): Promise<string> {
  const end = async (name: string) =>
    (await readFile(join(directory, name), 'latin1').catch(() => '')).slice(-1500);
  return `QEMU: ${await end('qemu.log')} console: ${await end('console.log')}`;
}

async function acceptOne(path: string): Promise<[Server, Promise<Socket>]> {
  const server = createServer();
  const socket = new Promise<Socket>((resolve) => server.once('connection', resolve));
  await new Promise<void>((resolve, reject) => {
    server.once('error', reject);
    server.listen(path, resolve);
  });
  return [server, socket];
}
