import type { HostCapabilities } from '../host/host-capabilities.js';
import type { Inventory } from '../pci/inventory.js';
import type { Mode } from '../policy/policy-terms.js';
import type { PolicySet } from '../policy/policy-evaluation.js';
import type { RiskDatabase } from '../risk/risk-database.js';
import type { AttachedDevice } from './decide-input.js';
import type { DomainState, GuestHardware } from './decision.js';
import { decide, type DecideResult } from './decide.js';

/** What every decision of this host starts from; replaced as a whole when one part changes. */
export interface DecisionBasis {
  inventory: Inventory;
  host: HostCapabilities;
  policy: PolicySet;
  risks: RiskDatabase;
  hostMode: Mode;
}

export interface EvaluationRequest {
  xml: string;
  domainState: DomainState;
  guestHardware?: GuestHardware;
  ranRestricted?: readonly string[];
  attach?: AttachedDevice;
  hostdevNetworks: readonly string[];
  /** ISO 8601, UTC. */
  evaluatedAt: string;
}

/** The pipeline with this host's basis: what every surface calls. */
export class DecisionService {
  constructor(readonly basis: DecisionBasis) {}

  /** @throws LocatedError where the document cannot be read */
  evaluate(request: EvaluationRequest): DecideResult {
    return decide({ ...this.basis, guestHardware: 'may-change', ranRestricted: [], ...request });
  }
}
