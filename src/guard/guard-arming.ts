import type { Decision } from '../decision/decision.js';
import type { GuardedFunction } from '../decision/guard-rules.js';
import type { GuardProgram } from '../host/guard/guard-program.js';

export interface GuardArmingParts {
  program: Pick<GuardProgram, 'apply'>;
  /** Whether the guard is attached and tested on this host. */
  ready: () => boolean;
  rulesOf: (decision: Decision) => GuardedFunction[];
  /** Called with what has its rules now. */
  onArmed: (decision: Decision, devices: readonly GuardedFunction[]) => void;
}

/** What keeps a domain from being protected as decided. */
export interface ArmingProblem {
  problem: string;
}

/** Gives the functions of a domain their rules in the kernel before anything can open them. */
export class GuardArming {
  /** Rules that are in force, by BDF: a domain that is only looked at again need not be armed again. */
  private readonly inForce = new Map<string, string>();

  constructor(private readonly parts: GuardArmingParts) {}

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

  /** The guard was attached anew, perhaps on new maps. */
  forget(): void {
    this.inForce.clear();
  }
}
