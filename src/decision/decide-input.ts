import type { DomainDocument } from '../domain-xml/domain-document.js';
import type { HostCapabilities } from '../host/host-capabilities.js';
import type { Inventory } from '../pci/inventory.js';
import type { Mode } from '../policy/policy-terms.js';
import type { PolicyNode, PolicySet } from '../policy/policy-set.js';
import type { RiskDatabase } from '../risk/risk-database.js';
import type { DomainState, GuestHardware } from './decision.js';

/** A device element as a client sends it to attach it. */
export interface AttachedDevice {
  xml: string;
}

/** Everything a decision is made of. */
export interface DecideInput {
  /** The text of a `<domain>` document. */
  xml: string;
  /** The same document, where the caller has read it already. */
  document?: DomainDocument;
  inventory: Inventory;
  host: HostCapabilities;
  policy: PolicySet;
  /** Who decides; absent: a node without a name and labels. */
  node?: PolicyNode;
  risks: RiskDatabase;
  /** ISO 8601, UTC. */
  evaluatedAt: string;
  domainState: DomainState;
  /** `fixed` at restore and migration: the document must describe the hardware that the guest has in its memory. */
  guestHardware: GuestHardware;
  /**
   * BDFs of functions that this domain has run with where an edit of ours had put them: the same edit again is no change
   * for its guest, though a template may not know of it.
   */
  ranRestricted: readonly string[];
  /** A device that is to be attached to the domain of `xml`; then the decision is about that device alone. */
  attach?: AttachedDevice;
  /** The switch of the host: lowers every rule's mode to at most this. */
  hostMode: Mode;
  /** Libvirt networks with `<forward mode='hostdev'>`. */
  hostdevNetworks: readonly string[];
}
