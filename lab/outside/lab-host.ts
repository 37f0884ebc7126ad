import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { stringify } from 'yaml';
import type { HostCapabilities, Probe } from '../../src/host/host-capabilities.js';
import { cached } from '../prepare/cache.js';
import type { Agent } from './agent.js';
import type { HardwareOptions } from './hardware.js';
import { OuterMachine } from './outer-machine.js';

/** Where clients of the lab's host find libvirt: through vfio-warden, or around it. */
export const PROXY = 'qemu+unix:///system?socket=/run/vfio-warden/libvirt-sock';
export const DIRECT = 'qemu:///system';

/** Where a QEMU with our patches is put; below /usr/bin it finds its firmware. */
export const PATCHED_EMULATOR = '/usr/bin/qemu-system-x86_64-patched';

const QEMU_CONF = `user = "root"
group = "root"
security_driver = "none"
namespaces = []
cgroup_controllers = []
remember_owner = 0
`;
const LIBVIRTD_CONF = 'auth_unix_rw = "none"\nauth_unix_ro = "none"\n';
/** Two idle cores need some 40 seconds for libvirt and the service. */
const READY_TIMEOUT_MS = 420_000;
/** The service looks every minute, and an emulated processor takes long over what it asks then. */
const CAPABLE_TIMEOUT_MS = 180_000;
const STARTS = 4;
const CAPABILITIES = '/var/cache/libvirt/qemu/capabilities';

export interface LabHostOptions extends HardwareOptions {
  /** Name of the userland, for what is kept of it between runs. */
  name: string;
  /** Policy documents, and risk lists, of the host's vfio-warden; without them vfio-warden is not installed. */
  policies?: Record<string, unknown>[];
}

/** A host as a cloud has them: Linux, libvirt, QEMU, and vfio-warden with its hook in front of them. */
export class LabHost {
  private constructor(
    readonly machine: OuterMachine,
    private readonly options: LabHostOptions,
  ) {}

  static async boot(options: LabHostOptions): Promise<LabHost> {
    const machine = await OuterMachine.boot(options);
    const host = new LabHost(machine, options);
    try {
      await host.#startServices();
      return host;
    } catch (error) {
      const journal = await host.serviceLog().catch(() => '');
      await machine.off();
      throw new Error(`${(error as Error).message}; the service said: ${journal.slice(-2000)}`, {
        cause: error,
      });
    }
  }

  get agent(): Agent {
    return this.machine.agent;
  }

  /** Name of its Debian, as `--host` has it. */
  get name(): string {
    return this.options.name;
  }

  get kernel(): LabHostOptions['kernel'] {
    return this.options.kernel;
  }

  /** The project's directory, as the host sees it. */
  get project(): string {
    return `/machine${this.options.project}`;
  }

  /** virsh as a client has it; through vfio-warden unless told otherwise. */
  async virsh(args: readonly string[], uri: string = PROXY): Promise<string> {
    return this.agent.run(['virsh', '--quiet', '--connect', uri, ...args], { timeout: 300 });
  }

  /**
   * Starts a domain. Processors that are emulated can take longer than the two seconds that the hook grants the service:
   * then the start is refused, as it should be, and asked for again.
   */
  async start(name: string, { paused = false, uri = PROXY } = {}): Promise<void> {
    for (let attempt = 1; ; attempt += 1) {
      try {
        await this.virsh(['start', ...(paused ? ['--paused'] : []), name], uri);
        return;
      } catch (error) {
        if (attempt === STARTS || !(error as Error).message.includes('within 2 s')) throw error;
      }
    }
  }

  /** What the service answers to a GET. */
  async api(path: string): Promise<unknown> {
    const answer = await this.agent.run([
      ...['curl', '-sS', '--unix-socket', '/run/vfio-warden/api.sock'],
      `http://localhost${path}`,
    ]);
    return JSON.parse(answer) as unknown;
  }

  /**
   * Waits until the service has found out that the host can do something.
   *
   * @returns why it cannot, if it does not find out in time; undefined where it can
   */
  async untilCapable(probe: (capabilities: HostCapabilities) => Probe): Promise<string | undefined> {
    const deadline = Date.now() + CAPABLE_TIMEOUT_MS;
    for (;;) {
      const { capabilities } = (await this.api('/v1/host')) as { capabilities: HostCapabilities };
      const { state, detail } = probe(capabilities);
      if (state === 'ready') return undefined;
      if (Date.now() > deadline) return detail;
      await new Promise((resolve) => setTimeout(resolve, 1000));
    }
  }

  /** Sets the host's switch. */
  async turn(mode: 'off' | 'observe' | 'enforce'): Promise<void> {
    await this.agent.run([
      ...['curl', '-sSf', '--unix-socket', '/run/vfio-warden/api.sock', '-X', 'PUT'],
      ...['-H', 'content-type: application/json', '-d', JSON.stringify({ mode })],
      'http://localhost/v1/host/mode',
    ]);
  }

  async serviceLog(): Promise<string> {
    return (await this.agent.exec(['cat', '/var/log/vfio-warden.log'])).out;
  }

  /** Versions of what the evidence rests on. */
  async versions(): Promise<Record<string, string>> {
    const ask = async (command: string) =>
      (await this.agent.exec(['sh', '-c', command])).out.trim().split('\n')[0] ?? '';
    return {
      kernel: `Linux ${await ask('uname -r')} (${await ask("uname -v | sed 's/^.*Debian/Debian/'")})`,
      libvirt: `libvirt ${await ask('libvirtd --version | sed "s/.* //"')}`,
      qemu: (await ask('qemu-system-x86_64 --version')).replace('QEMU emulator version', 'QEMU'),
      system: await ask('. /etc/os-release; echo "$PRETTY_NAME"'),
    };
  }

  async off(): Promise<void> {
    await this.machine.off();
  }

  async #startServices(): Promise<void> {
    await this.#configureLibvirt();
    if (this.options.systemd) {
      // Where what vfio-warden's units are to be put before is left to the case.
      await this.agent.run(['systemctl', 'enable', '--now', 'libvirtd.service'], { timeout: 300 });
      await this.#until('libvirtd', ['virsh', '--quiet', '--connect', DIRECT, 'domcapabilities']);
      return;
    }
    if (this.options.policies) {
      await this.configureWarden(this.options.policies);
      await this.agent.run(['sh', `${this.project}/deploy/install-hook.sh`]);
      await this.startService();
    }
    await this.agent.run(['virtlogd', '-d']);
    await this.agent.run(['libvirtd', '-d'], { timeout: 300 });
    await this.#until('libvirtd', ['virsh', '--quiet', '--connect', DIRECT, 'list']);
    // libvirt asks the emulator what it can do when that is first needed; while the service starts it may as well be now.
    const asked = this.agent.run(['virsh', '--quiet', '--connect', DIRECT, 'domcapabilities'], {
      timeout: 300,
    });
    if (this.options.policies) await this.untilServiceReady();
    await asked;
    await this.#keepCapabilities();
  }

  async #configureLibvirt(): Promise<void> {
    const { agent } = this;
    await agent.writeFile('/etc/libvirt/qemu.conf', QEMU_CONF);
    await agent.writeFile('/etc/libvirt/libvirtd.conf', LIBVIRTD_CONF);
    // libvirt asks each emulator that it finds for seconds; one is enough here, and it remembers the answer.
    await agent.exec(['rm', '-f', '/usr/bin/qemu-system-i386']);
    await agent.exec(['mkdir', '-p', '/run/libvirt', CAPABILITIES]);
    await agent.exec([
      'sh',
      '-c',
      `cp /machine${cached(`capabilities-${this.options.name}`)}/* ${CAPABILITIES}/`,
    ]);
  }

  /** Configuration and policies, as an operator writes them. */
  async configureWarden(policies: readonly Record<string, unknown>[]): Promise<void> {
    const { agent } = this;
    const settings = {
      policies: '/etc/vfio-warden/policies',
      proxySocketGroup: 'root',
      hostName: 'lab',
      otherEmulators: [PATCHED_EMULATOR],
    };
    await agent.writeFile('/etc/vfio-warden/config.yaml', stringify(settings));
    for (const [index, policy] of policies.entries()) {
      const text = stringify(policy, { aliasDuplicateObjects: false });
      await agent.writeFile(`/etc/vfio-warden/policies/lab-${index}.yaml`, text);
    }
  }

  /** Starts the service, as its unit would. */
  async startService(): Promise<void> {
    await this.agent.exec(['mkdir', '-p', '/run/vfio-warden']);
    const node = `/machine${process.execPath}`;
    await this.agent.spawn([node, `${this.project}/dist/main.js`], '/var/log/vfio-warden.log');
  }

  /** The same, for a host whose libvirt runs: returns when the service is ready. */
  async restartService(): Promise<void> {
    await this.startService();
    await this.untilServiceReady();
  }

  async untilServiceReady(): Promise<void> {
    const ready = ['curl', '-fsS', '--unix-socket', '/run/vfio-warden/api.sock', 'http://localhost/readyz'];
    await this.#until('vfio-warden', ready, ['pgrep', '-f', '/dist/main.js$']);
  }

  /** As the kernel does it to a process that is out of luck. */
  async killService(): Promise<void> {
    await this.agent.run(['pkill', '-9', '-f', `${this.project}/dist/main.js`]);
  }

  /** Ends what runs on the host beside its kernel and the agent, as far as it matters to VMs, and the guard with it. */
  async stopUserSpace(): Promise<void> {
    await this.killService();
    await this.agent.exec(['pkill', '-x', 'libvirtd']);
    await this.agent.run([
      'sh',
      '-c',
      'while pgrep -x libvirtd; do sleep 0.2; done; warden-guard detach --force',
    ]);
    // What a boot does not find again.
    await this.agent.run(['sh', '-c', 'rm -rf /run/libvirt/qemu /run/libvirt/libvirt-* /run/vfio-warden/*']);
  }

  /** The service, then libvirt, which starts the domains that are to start by themselves. */
  async startUserSpace(): Promise<void> {
    await this.startService();
    await this.#until('the hook', ['test', '-S', '/run/vfio-warden/hook.sock']);
    await this.restartLibvirt();
    await this.untilServiceReady();
  }

  /** libvirt as after a boot: it starts the domains that are to start by themselves. */
  async restartLibvirt(): Promise<void> {
    await this.agent.exec(['pkill', '-x', 'libvirtd']);
    await this.agent.run([
      'sh',
      '-c',
      'while pgrep -x libvirtd; do sleep 0.2; done; rm -rf /run/libvirt/qemu',
    ]);
    await this.agent.run(['libvirtd', '-d'], { timeout: 300 });
    await this.#until('libvirtd', ['virsh', '--quiet', '--connect', DIRECT, 'list']);
  }

  /** Waits until a command succeeds; no longer than `alive` does, where that is given. */
  async #until(what: string, command: readonly string[], alive?: readonly string[]): Promise<void> {
    const deadline = Date.now() + READY_TIMEOUT_MS;
    for (;;) {
      const { code, err } = await this.agent.exec(command);
      if (code === 0) return;
      const ended = alive !== undefined && (await this.agent.exec(alive)).code !== 0;
      if (ended || Date.now() > deadline)
        throw new Error(`${what} ${ended ? 'ended' : 'did not get ready'} on the lab's host: ${err}`);
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
  }

  /** Keeps what libvirt has found out about the emulator, for the next boot of this userland. */
  async #keepCapabilities(): Promise<void> {
    const directory = cached(`capabilities-${this.options.name}`);
    await mkdir(directory, { recursive: true });
    const known = await readdir(directory);
    const names = (await this.agent.exec(['ls', CAPABILITIES])).out
      .split('\n')
      .filter((name) => name.endsWith('.xml'));
    for (const name of names) {
      const text = await this.agent.readText(join(CAPABILITIES, name));
      if (known.includes(name) && (await readFile(join(directory, name), 'utf8')) === text) continue;
      await writeFile(join(directory, name), text);
    }
  }
}
