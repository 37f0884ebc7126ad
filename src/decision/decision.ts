import type { Carrier } from '../domain-xml/assigned-devices.js';
import type { Machine, MachineFamily } from '../domain-xml/machine.js';
import type { Move } from '../domain-xml/rewrite/document-edit.js';
import type { DevicePlan } from '../mitigation/device-plan.js';
import type { Mode } from '../policy/policy-terms.js';
import type { Exposure } from '../risk/exposure.js';
import type { CompatibilityNeed, Finding, Notice } from '../risk/finding.js';

/**
 * - `unrestricted`: nothing is restricted, and nothing would be
 * - `restricted`: mechanisms are planned, or the domain's own hardware closes what policy requires
 * - `observed`: it would be restricted or denied, but policy or the host's switch only observes
 * - `exempt`: policy would restrict it, but an exemption spares it, or a compatibility entry says that this would break it
 * - `denied`: something that policy requires stays open, and policy refuses the domain then
 */
export type Verdict = 'unrestricted' | 'exempt' | 'observed' | 'restricted' | 'denied';

/** Whether the domain has run: then its guest has seen its hardware. `unknown` counts as `has-run`. */
export const DOMAIN_STATES = ['new', 'has-run', 'unknown'] as const;
export type DomainState = (typeof DOMAIN_STATES)[number];

/** Whether a decision may change what hardware the guest sees. */
export const GUEST_HARDWARE = ['may-change', 'fixed'] as const;
export type GuestHardware = (typeof GUEST_HARDWARE)[number];

/** What a decision was made of; the same inputs give the same decision, byte for byte. */
export interface DecisionInputs {
  /** SHA-256 of the document's text. */
  xml: string;
  inventory: string;
  host: string;
  policy: string;
  /** SHA-256 of what scopes, rollouts and exemptions make of the policy here and now; absent where it has none. */
  policyInForce?: string;
  /** Where the policy's revision came from: the Git commit, and whose signature of it was verified. */
  policyCommit?: string;
  policySigner?: string;
  risks: string;
  /** ISO 8601, UTC. */
  evaluatedAt: string;
  domainState: DomainState;
  guestHardware: GuestHardware;
  /** BDFs, sorted. */
  ranRestricted: string[];
  /** SHA-256 of the text of the device that is attached. */
  attach?: string;
  hostMode: Mode;
  /** Libvirt networks that hand out host functions, as the caller knows them. */
  hostdevNetworks: string[];
}

/** An exemption that spares a device, as it stood at the evaluation. */
export interface AppliedExemption {
  name: string;
  file: string;
  reason: string;
  owner: string;
  ticket: string;
  /** As written: a date, in UTC from its beginning, or a time. */
  expires: string;
  /** What stays open because of it although the rule requires it closed. */
  spares: Exposure[];
}

/** Something that kept a device from being judged fully. */
export interface Problem {
  /** A line and column, or a BDF. */
  place: string;
  problem: string;
  remedy: string;
}

export interface DeviceDecision {
  carrier: Carrier;
  /** Line and column in the document. */
  place: string;
  source?: string;
  reference?: string;
  guestAddress?: string;
  /** What the inventory knows of it. */
  function?: { vendor: string; device: string; class: string; kind: 'pf' | 'vf' };
  /** `heldBack`: why it is observed, though it is written to be enforced. */
  rule?: { policy: string; name: string; file: string; heldBack?: string };
  exemptions?: AppliedExemption[];
  /** The rule's mode, lowered by the host's switch. */
  mode: Mode;
  /** The rule has the domain ended where its QEMU is seen without its config filter. */
  unverified?: 'stop';
  required: Exposure[];
  findings: Finding[];
  needs: CompatibilityNeed[];
  notices: Notice[];
  plan: DevicePlan;
  /** Whether it is moved only because another function of its slot is. */
  movedAlong: boolean;
  verdict: Verdict;
}

/** The immutable record of one evaluation. What then happened are events beside it. */
export interface Decision {
  /** `wd-` and 24 hexadecimal digits of a hash over the inputs. */
  id: string;
  apiVersion: 'vfio-warden.dev/v1';
  inputs: DecisionInputs;
  domain: { name: string; uuid?: string; machine: Machine; family: MachineFamily };
  verdict: Verdict;
  devices: DeviceDecision[];
  /** What is changed in the document, in words. */
  edits: { kind: string; target: string; summary: string }[];
  /** Other devices whose guest address changes because of the edits. */
  moves: Move[];
  problems: Problem[];
}
