import type { MechanismName } from '../../src/mitigation/mechanism.js';
import type { Column } from '../evidence/observation.js';
import type { Kernel } from '../prepare/kernel.js';
import type { LabHost } from '../outside/lab-host.js';

/**
 * A column of the coverage table in the lab. Each file of this folder but this one gives one as its default export. The
 * domain of a column is called `lab-COLUMN`; a policy rule for that name allows the mechanism and requires every exposure
 * closed, and vfio-warden does the rest.
 */
export interface LabMechanism {
  column: Column;
  /**
   * The kernel of a host that is its alone, made of the Debian's own one; where not given it shares the host of the others.
   *
   * @throws Error where it cannot be made here
   */
  kernel?(kernel: Kernel, userland: string): Promise<Kernel>;
  /** The emulator that its domains name; where not given that of the host's Debian. */
  emulator?: string;
  /** What the policy rule allows; empty: the rule is off. */
  mitigations: readonly MechanismName[];
  /** Puts what it needs on the host, where that alone acts on no domain; long before it is used, since it has to be noticed. */
  install?(host: LabHost): Promise<void>;
  /** Why this host does not have it; undefined where it has. */
  missing?(host: LabHost): Promise<string | undefined>;
  /**
   * What the service says of it once guests have tried what it closes.
   *
   * @throws Error where that is not what was seen
   */
  afterwards?(host: LabHost): Promise<string>;
}
