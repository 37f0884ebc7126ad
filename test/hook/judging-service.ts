import { startKnowledge } from '../../src/libvirt/hooked-starts.js';
import { DecisionRecorder } from '../../src/store/decision-recorder.js';
import { DecisionService, type DecisionBasis } from '../../src/decision/decision.service.js';
import type { DomainPast } from '../../src/libvirt/domain-registry.js';
import { HookService, type HookOptions } from '../../src/libvirt/hook/hook.service.js';
import type { DecisionRecord, EventRecord } from '../../src/store/records.js';
import { STOCK_HOST } from '../fixtures/hosts.js';
import { NODE_INVENTORY, policyOf, risksOf } from '../fixtures/scenario.js';

/** Extended config space must be closed before the first run; what cannot be closed is let be. */
export const CLOSE_EXTENDED =
  '{ name: close, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: before-first-run }';
/** The same, and what cannot be closed is refused. */
export const OR_DENY = CLOSE_EXTENDED.replace(' }', ', uncovered: deny }');

export interface Given {
  rule?: string;
  basis?: Partial<DecisionBasis>;
  options?: Partial<HookOptions>;
  past?: DomainPast;
  hostdevNetworks?: readonly string[];
}

/** The hook's service on the fixture node, with all that it wrote down. */
export function judgingService({
  rule = CLOSE_EXTENDED,
  basis,
  options,
  past,
  hostdevNetworks = [],
}: Given = {}) {
  const events: EventRecord[] = [];
  const records: DecisionRecord[] = [];
  let now = new Date('2026-11-23T12:00:00Z');
  const clock = () => now;
  const journal = {
    event: (record: EventRecord) => void events.push(record),
    decision: (record: DecisionRecord) => void records.push(record),
    domain: () => {},
    domainGone: () => {},
  };
  const decisions = new DecisionService({
    inventory: NODE_INVENTORY,
    host: STOCK_HOST,
    policy: policyOf(rule),
    risks: risksOf(),
    hostMode: 'enforce',
    ...basis,
  });
  const starts = startKnowledge(clock);
  const service = new HookService(
    {
      recorder: new DecisionRecorder(decisions, journal, 'node-1', clock),
      domains: { pastOf: () => past ?? { state: 'new', ranRestricted: [] } },
      journal,
      starts,
      hostdevNetworks: () => hostdevNetworks,
      hostMode: () => decisions.basis.hostMode,
      clock,
    },
    {
      host: 'node-1',
      failure: 'closed',
      incoming: 'warn',
      proxySocket: '/run/vfio-warden/libvirt-sock',
      ...options,
    },
  );
  const pass = (milliseconds: number) => void (now = new Date(now.getTime() + milliseconds));
  return { service, events, records, starts, pass };
}
