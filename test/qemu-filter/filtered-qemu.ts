import { execFileSync, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import {
  closeSync,
  existsSync,
  ftruncateSync,
  mkdirSync,
  openSync,
  readSync,
  symlinkSync,
  writeSync,
} from 'node:fs';
import { createConnection, type Socket } from 'node:net';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

/** Where vfio-pci has config space in a device's file (`VFIO_PCI_INDEX_TO_OFFSET`). */
const CONFIG = 7 * 2 ** 40;
const CONFIG_SIZE = 4096;
/** Where the guest sees its PCI Express config space, once PCIEXBAR (0x60 of 0:0.0) says so. */
const ECAM = 0xb000_0000;
const START_MS = 20_000;

/** A directory with what stands for a host's devices and kernel. */
export class FakeHost {
  readonly kernel: string;
  readonly filter: string;
  readonly devices: string;

  constructor(readonly directory: string) {
    this.kernel = join(directory, 'vfio-kernel.so');
    this.filter = join(directory, 'vfio-config-filter.so');
    this.devices = join(directory, 'devices');
    mkdirSync(this.devices, { recursive: true });
    execFileSync('make', [
      '-s',
      '-C',
      'qemu/filter',
      `BUILD=${directory}`,
      this.filter,
      join(directory, 'write-config'),
    ]);
    const options = ['-O2', '-Wall', '-Wextra', '-shared', '-fPIC'];
    execFileSync('cc', [...options, '-o', this.kernel, 'test/qemu-filter/vfio-kernel.c']);
  }

  /** Makes a device with the config space of `qemu/filter/test/nvme-config.h`, changed by `bytes`; what it keeps is hardware's. */
  device(bdf: string, group: number, bytes: Record<number, number[]> = {}): Hardware {
    const config = execFileSync(join(this.directory, 'write-config'));
    const changes = { 0x10: [0x04], 0xb4: [0, 0x20, 0, 0, 0, 0x30, 0, 0], ...bytes };
    for (const [offset, values] of Object.entries(changes)) config.set(values, Number(offset));
    const sysfs = join(this.directory, 'sys', bdf);
    mkdirSync(sysfs, { recursive: true });
    mkdirSync(join(this.directory, 'groups', String(group)), { recursive: true });
    if (!existsSync(join(sysfs, 'iommu_group')))
      symlinkSync(join(this.directory, 'groups', String(group)), join(sysfs, 'iommu_group'));
    const file = openSync(join(this.devices, bdf), 'w+');
    ftruncateSync(file, CONFIG + CONFIG_SIZE);
    writeSync(file, config, 0, CONFIG_SIZE, CONFIG);
    return new Hardware(file, sysfs);
  }
}

export class Hardware {
  constructor(
    private readonly file: number,
    /** For the property `sysfsdev`. */
    readonly sysfs: string,
  ) {}

  config(offset: number, size: 1 | 2 | 4): number {
    return this.read(CONFIG + offset, size);
  }

  bar0(offset: number, size: 1 | 2 | 4): number {
    return this.read(offset, size);
  }

  close(): void {
    closeSync(this.file);
  }

  private read(position: number, size: number): number {
    const bytes = Buffer.alloc(size);
    readSync(this.file, bytes, 0, size, position);
    return bytes.readUIntLE(0, size);
  }
}

export interface QemuOptions {
  binary: string;
  /** A program that runs it, with its arguments. */
  under?: readonly string[];
  env?: Record<string, string>;
  args?: readonly string[];
}

/** A real QEMU whose processors stand still; its guest's accesses come over qtest. */
export class FilteredQemu {
  private constructor(
    private readonly child: ChildProcess,
    private readonly qtest: Lines,
    private readonly monitor: Lines,
    private readonly said: () => string,
  ) {}

  /** @throws Error with QEMU's own words where it does not start */
  static async start(
    host: FakeHost,
    { binary, under = [], env = {}, args = [] }: QemuOptions,
  ): Promise<FilteredQemu> {
    const socket = (name: string) => join(host.directory, `${name}-${process.pid}-${(started += 1)}`);
    const [qtest, monitor] = [socket('qtest'), socket('monitor')];
    const firmware = ['/usr/share/seabios', '/usr/share/qemu', '/usr/lib/ipxe/qemu'].flatMap((path) => [
      '-L',
      path,
    ]);
    const machine = ['-machine', 'q35', '-m', '64', '-S', '-display', 'none', '-nodefaults'];
    const port = ['-device', 'pcie-root-port,id=rp,bus=pcie.0,addr=2,chassis=1'];
    const sockets = ['-qtest', qtest, '-qmp', monitor].map((text) =>
      text.startsWith('/') ? `unix:${text},server=on,wait=off` : text,
    );
    const all = [...firmware, ...machine, ...port, ...sockets, '-qtest-log', 'none', ...args];
    const [program, ...rest] = [...under, binary, ...all];
    const child = spawn(program!, rest, {
      env: { ...process.env, FAKE_DEVICES: host.devices, LD_PRELOAD: host.kernel, ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    let stderr = '';
    child.stderr.on('data', (data: Buffer) => (stderr += data.toString()));
    const ended = once(child, 'close').then(() => {
      throw new Error(`QEMU ended: ${stderr}`);
    });
    ended.catch(() => undefined);
    // What it ended with says more than that it has hung up.
    const orEnded = async <T>(work: Promise<T>): Promise<T> =>
      Promise.race([work, ended]).catch(async (error: Error) => {
        await Promise.race([ended, new Promise((resolve) => setTimeout(resolve, 2_000))]);
        throw error;
      });
    const lines = [await orEnded(Lines.connect(qtest)), await orEnded(Lines.connect(monitor))] as const;
    const qemu = new FilteredQemu(child, ...lines, () => stderr);
    await orEnded(qemu.setUp());
    return qemu;
  }

  /** What QEMU has said on standard error. */
  get log(): string {
    return this.said();
  }

  async qmp(execute: string, args: object = {}): Promise<unknown> {
    const { return: value, error } = JSON.parse(
      await this.askMonitor(JSON.stringify({ execute, arguments: args })),
    ) as { return?: unknown; error?: { desc: string } };
    if (error) throw new Error(error.desc);
    return value;
  }

  /** Resets the VM, and sets up again what its firmware would. */
  async reset(): Promise<void> {
    await this.qmp('system_reset');
    await this.openConfigSpace();
  }

  /** One command, as JSON, and its answer, as JSON. */
  async askMonitor(command: string): Promise<string> {
    this.monitor.send(command);
    for (;;) {
      const line = await this.monitor.next();
      if (!line.includes('"event":')) return line;
    }
  }

  /** The guest writes to config space of a device on its root complex (bus 0) or behind its root port (bus 1). */
  async write(
    slot: { bus: 0 | 1; slot: number },
    offset: number,
    size: 1 | 2 | 4,
    value: number,
  ): Promise<void> {
    await this.ask(
      `${{ 1: 'writeb', 2: 'writew', 4: 'writel' }[size]} ${placeOf(slot.bus, slot.slot) + offset} ${value}`,
    );
  }

  /** The guest writes four bytes of its memory, or of a device's that is mapped there. */
  async writeMemory(address: number, value: number): Promise<void> {
    await this.ask(`writel ${address} ${value}`);
  }

  async read(slot: { bus: 0 | 1; slot: number }, offset: number, size: 1 | 2 | 4): Promise<number> {
    const command = { 1: 'readb', 2: 'readw', 4: 'readl' }[size];
    const answer = await this.ask(`${command} ${placeOf(slot.bus, slot.slot) + offset}`);
    return Number(answer.split(' ')[1]);
  }

  /** Ends it as an operator would, and gives all that it has said. */
  async quit(): Promise<string> {
    const closed = once(this.child, 'close');
    this.child.kill('SIGTERM');
    await closed;
    return this.log;
  }

  async end(): Promise<void> {
    if (this.child.exitCode === null && this.child.signalCode === null) {
      const closed = once(this.child, 'close');
      this.child.kill('SIGKILL');
      await closed;
    }
  }

  private async setUp(): Promise<void> {
    await this.monitor.next(); // the greeting
    await this.qmp('qmp_capabilities');
    await this.openConfigSpace();
  }

  private async openConfigSpace(): Promise<void> {
    await this.ask(`outl 0xcf8 ${0x8000_0060}`, `outl 0xcfc ${ECAM + 1}`);
    // The root port's secondary bus is 1.
    await this.ask(`writel ${placeOf(0, 2) + 0x18} ${0x0001_0100}`);
  }

  private async ask(...commands: string[]): Promise<string> {
    let answer = '';
    for (const command of commands) {
      this.qtest.send(command);
      answer = await this.qtest.next();
      if (!answer.startsWith('OK')) throw new Error(`qtest: ${command}: ${answer}`);
    }
    return answer;
  }
}

let started = 0;

function placeOf(bus: number, slot: number): number {
  return ECAM + bus * 0x10_0000 + slot * 0x8000;
}

/** A socket with lines on it. */
class Lines {
  private readonly lines: AsyncIterator<string>;

  private constructor(private readonly socket: Socket) {
    this.lines = createInterface({ input: socket })[Symbol.asyncIterator]();
  }

  static async connect(path: string): Promise<Lines> {
    const deadline = Date.now() + START_MS;
    for (;;) {
      const socket = createConnection(path);
      try {
        await once(socket, 'connect');
        return new Lines(socket);
      } catch (error) {
        if (Date.now() > deadline) throw error;
        await new Promise((resolve) => setTimeout(resolve, 50));
      }
    }
  }

  send(line: string): void {
    this.socket.write(`${line}\n`);
  }

  async next(): Promise<string> {
    const { value, done } = await this.lines.next();
    if (done) throw new Error('QEMU has hung up');
    return value;
  }
}
