import type { MechanismName } from '../../src/mitigation/mechanism.js';
import type { Column } from '../evidence/observation.js';
import type { LabHost } from '../outside/lab-host.js';

/**
 * A column of the coverage table in the lab. Each file of this folder but this one gives one as its default export. The
 * domain of a column is called `lab-COLUMN`; a policy rule for that name allows the mechanism and requires every exposure
 * closed, and vfio-warden does the rest.
 */
export interface LabMechanism {
  column: Column;
  /** What the policy rule allows; empty: the rule is off. */
  mitigations: readonly MechanismName[];
  /** Puts what it needs on the host, where that alone acts on no domain; long before it is used, since it has to be noticed. */
  install?(host: LabHost): Promise<void>;
  /** Why this host does not have it; undefined where it has. */
  missing?(host: LabHost): Promise<string | undefined>;
}
