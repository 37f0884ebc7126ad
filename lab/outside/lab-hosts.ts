import type { DeviceFacts } from '../exposures/exposure.js';
import type { LabMechanism } from '../mechanisms/lab-mechanism.js';
import { findDevices } from './device-facts.js';
import { LabHost, type LabHostOptions } from './lab-host.js';
import { labPolicy } from './lab-policy.js';

interface Found {
  host: LabHost;
  devices: readonly DeviceFacts[];
}

/** The hosts of one run: one with vfio-warden for all cases, and a bare one for whoever wants to see it fall. */
export class LabHosts {
  #guarded: Found | undefined;
  /** Versions of the last host that came up. */
  versions: Record<string, string> = {};

  constructor(
    private readonly options: Omit<LabHostOptions, 'policies'> & { mechanisms: readonly LabMechanism[] },
    private readonly say: (text: string) => void,
  ) {}

  readonly guarded = async (): Promise<Found> => {
    if (this.#guarded?.host.machine.running) return this.#guarded;
    await this.#guarded?.host.off();
    this.#guarded = await this.#boot({ policies: [labPolicy(this.options.mechanisms)] });
    return this.#guarded;
  };

  /** Beside the one with vfio-warden, which idles meanwhile. */
  readonly bare = async (): Promise<Found> => this.#boot({});

  async off(): Promise<void> {
    await this.#guarded?.host.off();
  }

  async #boot(more: Pick<LabHostOptions, 'policies'>): Promise<Found> {
    this.say(more.policies ? 'booting a host with vfio-warden' : 'booting a bare host');
    const host = await LabHost.boot({ ...this.options, ...more });
    this.say('the host is up');
    try {
      this.versions = await host.versions();
      return { host, devices: await findDevices(host, this.options.devices) };
    } catch (error) {
      await host.off();
      throw error;
    }
  }
}
