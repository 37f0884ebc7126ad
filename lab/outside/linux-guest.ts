import type { LabHost } from './lab-host.js';

/** A real Linux in a domain of the lab's host, that carries out commands on its console. */
export class LinuxGuest {
  #commands = 0;

  constructor(
    private readonly host: LabHost,
    readonly name: string,
  ) {}

  /** What a domain needs to boot it: more of `<os>`, and of `<devices>`. */
  static boots(host: LabHost, name: string): { os: string; elements: string; memory: number } {
    const { image, guestInitramfs } = host.kernel;
    return {
      memory: 256,
      os:
        `<kernel>/machine${image}</kernel><initrd>/machine${guestInitramfs}</initrd>` +
        `<cmdline>console=ttyS0 quiet panic=-1 random.trust_cpu=on mitigations=off no5lvl nowatchdog audit=0</cmdline>`,
      elements: `<serial type='unix'><source mode='bind' path='${consoleOf(name)}'/></serial>`,
    };
  }

  /** Waits until it has booted; a guest's kernel takes a minute or two to come up here. */
  async booted(): Promise<void> {
    await this.host.agent.console(consoleOf(this.name), '', {
      until: 'guest is ready',
      timeout: 420,
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
