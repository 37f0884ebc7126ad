import type { HostCapabilities } from '../host/host-capabilities.js';
import type { Inventory } from '../pci/inventory.js';
import type { Mode } from '../policy/policy-terms.js';
import type { PolicySet } from '../policy/policy-evaluation.js';
import type { RiskDatabase } from '../risk/risk-database.js';
import type { DomainState } from './decision.js';

/** Everything a decision is made of. */
export interface DecideInput {
  /** The text of a `<domain>` document. */
  xml: string;
  inventory: Inventory;
  host: HostCapabilities;
  policy: PolicySet;
  risks: RiskDatabase;
  /** ISO 8601, UTC. */
  evaluatedAt: string;
  domainState: DomainState;
  /** The switch of the host: lowers every rule's mode to at most this. */
  hostMode: Mode;
  /** Libvirt networks with `<forward mode='hostdev'>`. */
  hostdevNetworks: readonly string[];
}
