import type { Decision } from '../decision/decision.js';
import type { GuardedFunction } from '../decision/guard-rules.js';
import type { GuardProgram } from '../host/guard/guard-program.js';

export interface GuardArmingParts {
  program: Pick<GuardProgram, 'apply' | 'remove'>;
  /** Whether the guard is attached and tested on this host. */
  ready: () => boolean;
  rulesOf: (decision: Decision) => GuardedFunction[];
  /** Called with what has its rules now. */
  onArmed: (decision: Decision, devices: readonly GuardedFunction[]) => void;
  /** Called with functions whose rules were removed: the host's standard holds for them. */
  onReleased: (devices: readonly string[]) => void;
}

/** What keeps a domain from being protected as decided. */
export interface ArmingProblem {
  problem: string;
}

/** Gives the functions of a domain their rules in the kernel before anything can open them. */
export class GuardArming {
  /** Rules that are in force, by BDF: a domain that is only looked at again need not be armed again. */
  private readonly inForce = new Map<string, string>();
  /** By BDF: for which domain its rules were last given, and when, counted in armings. */
  private readonly armedFor = new Map<string, { domain: string | undefined; at: number }>();
  private armings = 0;

  constructor(private readonly parts: GuardArmingParts) {}

  /** What comes later than this has a higher number: see `release`. */
  get now(): number {
    return this.armings;
  }

  /**
   * For a domain that is about to start, or a device about to be attached: always, and before it returns.
   *
   * @returns undefined where the rules are in force, or nothing relies on them
   */
  arm(decision: Decision): ArmingProblem | undefined {
    const devices = this.parts.rulesOf(decision);
    if (devices.length === 0) return undefined;
    const relying = devices.filter(({ reliedUpon }) => reliedUpon);
    if (!this.parts.ready()) {
      if (relying.length === 0) return undefined;
      return { problem: 'the kernel guard, which protects its devices, is not in force now' };
    }
    // Also where the guard does not take them: the domain is about to use its functions.
    const armed = { domain: decision.domain.uuid?.toLowerCase(), at: (this.armings += 1) };
    for (const { device } of devices) this.armedFor.set(device, armed);
    try {
      this.parts.program.apply(devices.map(({ device, mode, rules }) => ({ device, mode, rules })));
    } catch (error) {
      for (const { device } of devices) this.inForce.delete(device);
      if (relying.length === 0) return undefined;
      return { problem: `the kernel guard did not take its rules: ${(error as Error).message}` };
    }
    for (const { device, mode, rules } of devices) this.inForce.set(device, `${mode} ${rules}`);
    this.parts.onArmed(decision, devices);
    return undefined;
  }

  /** For a domain that runs: only where its rules are not in force already. */
  armRunning(decision: Decision): ArmingProblem | undefined {
    const stale = this.parts
      .rulesOf(decision)
      .some(({ device, mode, rules }) => this.inForce.get(device) !== `${mode} ${rules}`);
    return stale ? this.arm(decision) : undefined;
  }

  /** BDFs of functions whose rules were last given for a domain. */
  functionsOf(domain: string): string[] {
    const ofDomain = [...this.armedFor].filter(([, armed]) => armed.domain === domain.toLowerCase());
    return ofDomain.map(([device]) => device);
  }

  /**
   * Removes the rules of functions that a domain gave up, so that the host's standard holds for whoever is next. What was armed
   * for another domain meanwhile, or for the same one's next start, keeps its rules.
   *
   * @param domain UUID
   * @param devices BDFs
   * @param asOf `now`, before libvirt was asked whether the domain still has them
   */
  release(domain: string, devices: readonly string[], asOf: number): ArmingProblem | undefined {
    const released = devices.filter((device) => {
      const armed = this.armedFor.get(device);
      return armed === undefined || (armed.domain === domain.toLowerCase() && armed.at <= asOf);
    });
    if (released.length === 0 || !this.parts.ready()) return undefined;
    try {
      this.parts.program.remove(released);
    } catch (error) {
      return { problem: `the kernel guard still has its rules: ${(error as Error).message}` };
    }
    for (const device of released) {
      this.inForce.delete(device);
      this.armedFor.delete(device);
    }
    this.parts.onReleased(released);
    return undefined;
  }

  /** The guard was attached anew, perhaps on new maps. */
  forget(): void {
    this.inForce.clear();
  }
}
