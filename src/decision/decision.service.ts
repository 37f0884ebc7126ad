import type { DomainDocument } from '../domain-xml/domain-document.js';
import type { HostCapabilities } from '../host/host-capabilities.js';
import type { Inventory } from '../pci/inventory.js';
import type { Mode } from '../policy/policy-terms.js';
import type { PolicyNode, PolicySet } from '../policy/policy-set.js';
import type { RiskDatabase } from '../risk/risk-database.js';
import type { AttachedDevice } from './decide-input.js';
import type { DomainState, GuestHardware } from './decision.js';
import { decide, type DecideResult } from './decide.js';

/** What every decision of this host starts from; replaced as a whole when one part changes. */
export interface DecisionBasis {
  inventory: Inventory;
  host: HostCapabilities;
  policy: PolicySet;
  /** Who decides: what scopes and rollouts go by. */
  node?: PolicyNode;
  risks: RiskDatabase;
  hostMode: Mode;
}

export interface EvaluationRequest {
  xml: string;
  /** The same document, where the caller has read it already. */
  document?: DomainDocument;
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
  private current: DecisionBasis;

  constructor(basis: DecisionBasis) {
    this.current = basis;
  }

  /** What decisions are made of now. */
  get basis(): DecisionBasis {
    return this.current;
  }

  /** Later decisions are made with these parts instead; a decision that is being made keeps the ones it began with. */
  replace(parts: Partial<DecisionBasis>): void {
    this.current = { ...this.current, ...parts };
  }

  /** @throws LocatedError where the document cannot be read */
  evaluate(request: EvaluationRequest): DecideResult {
    return decide({ ...this.current, guestHardware: 'may-change', ranRestricted: [], ...request });
  }
}
