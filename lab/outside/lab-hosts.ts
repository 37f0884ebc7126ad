import type { DeviceFacts } from '../exposures/exposure.js';
import type { LabMechanism } from '../mechanisms/lab-mechanism.js';
import { findDevices } from './device-facts.js';
import { LabHost, type LabHostOptions } from './lab-host.js';
import { labExemption, labPolicy, labRisks, policyOfOne } from './lab-policy.js';

interface Found {
  host: LabHost;
  devices: readonly DeviceFacts[];
}

/**
 * The hosts of one run: one with vfio-warden for all cases, one of the same kind for each mechanism that needs a host of its
 * own, and a bare one for whoever wants to see it fall.
 */
export class LabHosts {
  readonly #guarded = new Map<LabMechanism | undefined, Found>();
  /** Versions of the last host that came up. */
  versions: Record<string, string> = {};

  constructor(
    private readonly options: Omit<LabHostOptions, 'policies'> & { mechanisms: readonly LabMechanism[] },
    private readonly say: (text: string) => void,
  ) {}

  /** @param mechanism that it is asked for; without one, or for one that shares it, the host of all */
  readonly guarded = async (mechanism?: LabMechanism): Promise<Found> => {
    const owner = mechanism?.kernel && mechanism;
    const known = this.#guarded.get(owner);
    if (known?.host.machine.running) return known;
    await known?.host.off();
    const { mechanisms, kernel, userland } = this.options;
    const found = await this.#boot(
      owner
        ? { policies: [policyOfOne(owner)], kernel: await owner.kernel!(kernel, userland) }
        : {
            policies: [
              labPolicy(mechanisms.filter((each) => !each.kernel)),
              labRisks(),
              labExemption(new Date()),
            ],
          },
    );
    this.#guarded.set(owner, found);
    return found;
  };

  /** Beside the one with vfio-warden, which idles meanwhile. */
  readonly bare = async (): Promise<Found> => this.#boot({});

  /** As a node is before vfio-warden comes to it. */
  readonly bySystemd = async (): Promise<Found> => this.#boot({ systemd: true });

  async off(): Promise<void> {
    for (const { host } of this.#guarded.values()) await host.off();
  }

  async #boot(more: Pick<LabHostOptions, 'policies'> & Partial<LabHostOptions>): Promise<Found> {
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
