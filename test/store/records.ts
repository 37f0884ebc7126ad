import { sha256 } from '../../src/canonical-json.js';
import type { Decision, Verdict } from '../../src/decision/decision.js';
import type { DecisionRecord, DomainRecord, EventRecord } from '../../src/store/records.js';
import type { Entry } from '../../src/store/store.js';
import { decideAbout, domain, hostdev, policyOf } from '../fixtures/scenario.js';

export const HOST = 'node-1';
export const NVME = '0000:81:00.0';
export const GPU = '0000:af:00.0';
export const START = Date.parse('2026-01-01T00:00:00.000Z');

const policy = policyOf(
  '{ name: close, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: always }',
);

/** Real decisions, of the pipeline; each of many is one of these with another id, time and domain. */
const PIPELINE = new Map(
  [NVME, GPU].map((device) => [device, decideAbout(domain(hostdev(device)), { policy }).decision]),
);

export interface DecisionTraits {
  device?: string;
  domainName?: string;
  domainUuid?: string;
  verdict?: Verdict;
  host?: string;
  /** Milliseconds since 1970. */
  at?: number;
}

/** The same number gives the same decision. */
export function decisionRecord(number: number, traits: DecisionTraits = {}): DecisionRecord {
  const {
    device = NVME,
    domainName = `vm-${number}`,
    domainUuid = uuid(number),
    verdict = 'restricted',
    host = HOST,
    at = START + number,
  } = traits;
  const made = PIPELINE.get(device)!;
  const decision: Decision = {
    ...made,
    id: `wd-${sha256(String(number)).slice(0, 24)}`,
    inputs: { ...made.inputs, evaluatedAt: new Date(at).toISOString() },
    domain: { ...made.domain, name: domainName, uuid: domainUuid },
    verdict,
  };
  return { decision, occasion: { surface: 'proxy', operation: 'define' }, host };
}

export function eventRecord(number: number, given: Partial<EventRecord> = {}): EventRecord {
  return {
    host: HOST,
    at: new Date(START + number).toISOString(),
    kind: 'accepted',
    detail: `event ${number}`,
    ...given,
  };
}

export function domainRecord(number: number, given: Partial<DomainRecord> = {}): DomainRecord {
  return {
    host: HOST,
    uuid: uuid(number),
    name: `instance-${number.toString(16).padStart(8, '0')}`,
    owner: {},
    active: true,
    persistent: true,
    state: 'new',
    ranRestricted: [],
    unprotected: false,
    devices: [],
    updatedAt: new Date(START + number).toISOString(),
    ...given,
  };
}

export function uuid(number: number): string {
  return `00000000-0000-4000-8000-${number.toString(16).padStart(12, '0')}`;
}

export function decisionEntry(number: number, traits?: DecisionTraits): Entry {
  return { type: 'decision', record: decisionRecord(number, traits) };
}

export function eventEntry(number: number, given?: Partial<EventRecord>): Entry {
  return { type: 'event', record: eventRecord(number, given) };
}

export function domainEntry(number: number, given?: Partial<DomainRecord>): Entry {
  return { type: 'domain', record: domainRecord(number, given) };
}
