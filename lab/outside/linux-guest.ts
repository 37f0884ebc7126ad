import type { LabHost } from './lab-host.js';

const MEMORY_MIB = 256;
const KERNEL_ARGUMENTS =
  'console=ttyS0 quiet panic=-1 random.trust_cpu=on mitigations=off no5lvl nowatchdog audit=0 no_timer_check';

/** A real Linux in a domain of the lab's host, that carries out commands on its console. */
export class LinuxGuest {
  #commands = 0;

  constructor(
    private readonly host: Pick<LabHost, 'agent'>,
    readonly name: string,
  ) {}

  /** What a domain needs to boot it: more of `<os>`, and of `<devices>`. */
  static boots(
    { kernel: { image, guestInitramfs } }: Pick<LabHost, 'kernel'>,
    name: string,
  ): { os: string; elements: string; memory: number } {
    return {
      memory: MEMORY_MIB,
      os:
        `<kernel>/machine${image}</kernel><initrd>/machine${guestInitramfs}</initrd>` +
        `<cmdline>${KERNEL_ARGUMENTS}</cmdline>`,
      elements: `<serial type='unix'><source mode='bind' path='${consoleOf(name)}'/></serial>`,
    };
  }

  /** The same for a QEMU that is started without libvirt. */
  static qemuArguments({ image, guestInitramfs }: LabHost['kernel'], name: string): string[] {
    return [
      ...['-accel', 'tcg', '-machine', 'q35', '-m', String(MEMORY_MIB), '-nodefaults', '-nographic'],
      ...['-kernel', `/machine${image}`, '-initrd', `/machine${guestInitramfs}`, '-append', KERNEL_ARGUMENTS],
      ...['-serial', `unix:${consoleOf(name)},server=on,wait=off`],
    ];
  }

  /** Waits until it has booted; a guest's kernel takes a minute or two to come up here. */
  async booted(timeout = 420): Promise<void> {
    await this.host.agent.console(consoleOf(this.name), '', {
      until: 'guest is ready',
      timeout,
      fresh: true,
    });
  }

  /** Waits until it has booted once more, after a reset of the virtual machine. */
  async rebooted(): Promise<void> {
    await this.host.agent.console(consoleOf(this.name), '', { until: 'guest is ready', timeout: 420 });
  }

  /** @throws Error with what it printed if the command fails */
  async run(command: string, timeout = 180): Promise<string> {
    this.#commands += 1;
    const mark = `done-${this.#commands}`;
    // The mark is put together by the guest, so that its echo of the line does not hold it.
    const text = await this.host.agent.console(
      consoleOf(this.name),
      `${command}; echo "exit $? done""-${this.#commands}"`,
      { until: mark, timeout },
    );
    const [, output, code] =
      /^([\s\S]*)exit (\d+) done-\d+$/.exec(text.slice(0, text.indexOf(mark) + mark.length)) ?? [];
    if (code !== '0') throw new Error(`guest ${this.name}: ${command}: exit ${code}: ${text.slice(-800)}`);
    return output!.replaceAll('\r', '').trim();
  }
}

function consoleOf(name: string): string {
  return `/run/${name}.console`;
}
