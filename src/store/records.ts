import type { Decision, Verdict } from '../decision/decision.js';
import type { Occasion } from '../decision/occasion.js';

/** A decision as it is kept: never changed once written. */
export interface DecisionRecord {
  decision: Decision;
  occasion: Occasion;
  /** Name of the node that decided. */
  host: string;
}

/** What a list of decisions shows of each. */
export interface DecisionSummary {
  id: string;
  host: string;
  /** ISO 8601, UTC: when it was evaluated. */
  at: string;
  surface: Occasion['surface'];
  operation: string;
  domainName: string;
  domainUuid?: string;
  verdict: Verdict;
  /** BDFs of the devices that it speaks of. */
  devices: string[];
}

/** What can happen to a decision, a domain, or the host; `detail` says it in words. */
export const EVENT_KINDS = [
  /** The document that a client sent went on with our edits. */
  'rewritten',
  /** A client's call was refused. */
  'refused',
  /** Libvirt took a define, create or attach that we had decided about. */
  'accepted',
  /** Libvirt refused it. */
  'rejected',
  /** The hook stopped a start. */
  'vetoed',
  /** A domain started, and has what its decision asks for. */
  'started',
  /** A domain runs without what policy asks for. */
  'started-unprotected',
  /** A domain was defined or changed without passing the proxy. */
  'bypassed',
  /** The reconciler defined an inactive domain again, with our edits. */
  'redefined',
  'stopped',
  'undefined',
  /** A running domain came from another host. */
  'migrated-in',
  /** A surface could not decide, and did what its failure mode says. */
  'failed-open',
  'failed-closed',
  /** Something was not written while the store was away. */
  'gap',
  /** The kernel guard has the rules of a domain's functions. */
  'armed',
  /**
   * The kernel guard has judged accesses of a domain's function since it was armed; or the QEMU of a running domain says that it has
   * the config filter of its functions.
   */
  'verified',
  /** No domain has a function any more, and the kernel guard has its rules no more: the host's standard holds for it. */
  'released',
  /** The QEMU of a running domain lacks the config filter of its functions, or it could not be told. */
  'unverified',
  /** A running domain was ended, since policy does not let it run without its config filter. */
  'ended',
  /** The kernel guard, or the parameters of vfio-pci, kept accesses from a function. */
  'access-blocked',
  /** The kernel guard only counted accesses that it would keep from a function. */
  'access-observed',
  /** The kernel guard was not in force for a time. */
  'guard-gap',
  /** The parameters of vfio-pci were set, or set back, as policy asks for. */
  'parameters-changed',
  /** Somebody changed them, or unloaded their module; what could be put right was. */
  'parameters-drift',
  /** An operator changed something; `actor` says who. */
  'mode-changed',
  /**
   * A policy revision is in force; what came was refused; it waits for a person; a person accepted its history; somebody
   * pinned one, or let go of it.
   */
  'policy-activated',
  'policy-refused',
  'policy-held',
  'policy-accepted',
  'policy-pinned',
  'policy-unpinned',
] as const;
export type EventKind = (typeof EVENT_KINDS)[number];

export interface EventRecord {
  host: string;
  /** ISO 8601, UTC. */
  at: string;
  kind: EventKind;
  decisionId?: string;
  domainUuid?: string;
  domainName?: string;
  /** Who asked for it, where a person or client is known: `token:NAME`, `unix`. */
  actor?: string;
  detail: string;
}

/** An event with its place in the order of all. */
export interface StoredEvent extends EventRecord {
  sequence: number;
}

/** How a control plane names a domain; from Nova's metadata. */
export interface DomainOwner {
  instanceName?: string;
  projectId?: string;
  projectName?: string;
  userName?: string;
  flavor?: string;
}

/** What is known of a domain of a host now. */
export interface DomainRecord {
  host: string;
  uuid: string;
  name: string;
  owner: DomainOwner;
  /** Whether it runs now. */
  active: boolean;
  persistent: boolean;
  /** Whether its guest has ever seen its hardware; `unknown` for a domain that was there before us. */
  state: 'new' | 'has-run' | 'unknown';
  /** BDFs of functions that the domain ran with where an edit of ours had put them. */
  ranRestricted: string[];
  /** The decision about it that is in force. */
  decisionId?: string;
  verdict?: Verdict;
  /** Revisions of policy and risk database that the decision was made by, and the host's switch. */
  basis?: string;
  /** Whether it runs, or would start, without what policy asks for. */
  unprotected: boolean;
  /** Of a running domain that does not have what policy asks for now: what would bring it up to date. */
  stale?: string;
  /** BDFs of its assigned devices. */
  devices: string[];
  /** ISO 8601, UTC: when this record last changed. */
  updatedAt: string;
}
