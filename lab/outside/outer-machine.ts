import { spawn, type ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { setTimeout } from 'node:timers/promises';
import { Agent } from './agent.js';
import { FILES, hardwareOf, type HardwareOptions } from './hardware.js';
import { HardwareTrace } from './hardware-trace.js';
import { Monitor } from './monitor.js';

/** Seconds of boot after which the host is given up; two busy cores need some 60. */
const BOOT_TIMEOUT_S = 240;
/**
 * QEMU 7.2 falls over its own feet now and then while the host's kernel looks at its devices (a segmentation fault where an
 * access ends, since a device that is played outside releases QEMU's lock meanwhile): then the machine is switched on again.
 */
const BOOTS = 4;

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

  static async boot(options: HardwareOptions): Promise<OuterMachine> {
    for (let boot = 1; ; boot += 1) {
      try {
        return await OuterMachine.#bootOnce(options);
      } catch (error) {
        if (boot === BOOTS || !(error as Error).message.includes('SIGSEGV')) throw error;
      }
    }
  }

  static async #bootOnce(options: HardwareOptions): Promise<OuterMachine> {
    const directory = await mkdtemp(join(tmpdir(), 'warden-lab-'));
    const file = (name: keyof typeof FILES) => join(directory, FILES[name]);
    const [agentServer, agentSocket] = await acceptOne(file('agent'));
    const [monitorServer, monitorSocket] = await acceptOne(file('monitor'));
    closeSync(openSync(file('trace'), 'w'));
    const hardware = await hardwareOf(options, directory);

    const log = openSync(file('log'), 'w');
    const pipes = hardware.players.map(() => 'pipe' as const);
    const child = spawn('qemu-system-x86_64', hardware.arguments, { stdio: ['ignore', log, log, ...pipes] });
    closeSync(log);
    for (const [index, play] of hardware.players.entries()) play(child.stdio[3 + index] as unknown as Duplex);

    const ended = new Promise<never>((_, reject) => {
      child.on('error', reject);
      child.on('exit', (code, signal) => reject(new Error(`the outer QEMU ended (${signal ?? code})`)));
    });
    ended.catch(() => undefined);
    try {
      const monitor = new Monitor(await Promise.race([monitorSocket, ended]));
      const greeted = agentSocket.then(async (socket) => Agent.greet(socket, BOOT_TIMEOUT_S * 1000));
      // When QEMU ends its socket closes first; what it ended with says more.
      const agent = await Promise.race([greeted, ended]).catch(async (error: Error) => {
        await Promise.race([ended, setTimeout(500)]);
        throw error;
      });
      const trace = new HardwareTrace(file('trace'));
      return new OuterMachine(agent, trace, directory, child, monitor, [agentServer, monitorServer]);
    } catch (error) {
      child.kill('SIGKILL');
      agentServer.close();
      monitorServer.close();
      const why = `${(error as Error).message}; ${await diagnose(directory)}`;
      await rm(directory, { recursive: true, force: true });
      throw new Error(`the lab host did not come up: ${why}`, { cause: error });
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
    return readFile(join(this.directory, FILES.console), 'utf8').catch(() => '');
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
  return `QEMU: ${await end(FILES.log)} console: ${await end(FILES.console)}`;
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
