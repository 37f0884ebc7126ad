import type { Carrier } from '../domain-xml/assigned-devices.js';
import type { DeviceDecision } from '../decision/decision.js';
import type { Move } from '../domain-xml/rewrite/document-edit.js';
import type { MechanismColumn } from '../mitigation/mechanism.js';
import type { Mode } from '../policy/policy-terms.js';
import type { Exposure } from '../risk/exposure.js';
import type { RiskStatement } from '../risk/finding.js';

/** Something open that the risk database names for the device. */
export interface OpenRisk {
  exposure: Exposure;
  /** Where only a part of config space stays open. */
  part?: 'below 0x100' | 'from 0x100 on';
  risk: RiskStatement;
}

/**
 * What enforcing comes to for a device.
 * - `nothing-required`: no rule asks for anything that the device has
 * - `in-force`: what is asked for is closed before anything is done
 * - `protected`: the edits or mechanisms close all that is asked for
 * - `partly`: they close some of it
 * - `impossible`: nothing that may be used here closes any of it
 * - `exempt`: closing it would break the device's driver
 * - `refused`: the domain would not be allowed to start
 */
export type Outcome =
  'nothing-required' | 'in-force' | 'protected' | 'partly' | 'impossible' | 'exempt' | 'refused';

export interface Enforcement {
  outcome: Outcome;
  mechanisms: { name: string; closes: Exposure[]; price: string }[];
  /** What a rule asks for and nothing closes. */
  staysOpen: Exposure[];
  /** Why no other mechanism does; only where something that is asked for stays open. */
  whyNot: { mechanism: string; reason: string }[];
}

export interface DeviceAudit {
  /** The host function, or what the XML names instead. */
  device: string;
  carrier: Carrier;
  function?: DeviceDecision['function'];
  guestAddress?: string;
  /** The worst first. */
  risks: OpenRisk[];
  /** Open as well, without a known risk. */
  alsoOpen: Exposure[];
  /** Whether exposures were seen in config space, or assumed because that could not be read. */
  certainty: 'seen' | 'assumed';
  closed: { by: MechanismColumn; exposures: Exposure[] }[];
  /** The rule that speaks of it, with the mode that it has now. */
  rule?: { policy: string; name: string; file: string; mode: Mode };
  enforcing: Enforcement;
  /** The same for a domain that never ran, where that comes to something else. */
  ifNew?: Enforcement;
}

/** One document of a domain, judged. */
export interface DocumentAudit {
  devices: DeviceAudit[];
  /** What enforcing would change in the document, in words. */
  edits: string[];
  /** Other devices whose guest address would change with it. */
  moves: Move[];
  problems: { place: string; problem: string; remedy: string }[];
}

export interface DomainAudit {
  name: string;
  uuid?: string;
  file?: string;
  running?: boolean;
  /** What runs now. */
  now?: DocumentAudit;
  /** What the next start gets. */
  next?: DocumentAudit;
}
