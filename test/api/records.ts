import type { Decision } from '../../src/decision/decision.js';
import type { DomainRecord, EventRecord } from '../../src/store/records.js';
import type { Entry } from '../../src/store/store.js';
import { decideAbout, domain, hostdev, policyOf } from '../fixtures/scenario.js';

export const UUID = 'e5a1c2d4-0b6f-4f0e-9d3a-6a2f1f9d7c11';

const RULE =
  '{ name: close, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: before-first-run }';

/** A decision about a domain with an NVMe controller, made some minutes after twelve. */
export function decisionAt(minute: number, name = 'instance-0000002a'): Decision {
  const at = new Date(Date.UTC(2026, 10, 23, 12, minute)).toISOString();
  const xml = domain(hostdev('0000:81:00.0')).replace(
    '<name>vm</name>',
    `<name>${name}</name><uuid>${UUID}</uuid>`,
  );
  return decideAbout(xml, { policy: policyOf(RULE), evaluatedAt: at }).decision;
}

export function decided(decision: Decision, host = 'node-1'): Entry {
  return {
    type: 'decision',
    record: { decision, occasion: { surface: 'proxy', operation: 'define' }, host },
  };
}

export function happened(event: Partial<EventRecord> & Pick<EventRecord, 'kind' | 'detail'>): Entry {
  return { type: 'event', record: { host: 'node-1', at: '2026-11-23T12:30:00.000Z', ...event } };
}

/** A domain of Nova's that runs. */
export function known(record: Partial<DomainRecord> = {}): Entry {
  return {
    type: 'domain',
    record: {
      host: 'node-1',
      uuid: UUID,
      name: 'instance-0000002a',
      owner: {
        instanceName: 'web-1',
        projectId: '6b1f8c2e',
        projectName: 'shop',
        userName: 'alice',
        flavor: 'nvme.large',
      },
      active: true,
      persistent: true,
      state: 'has-run',
      ranRestricted: [],
      unprotected: false,
      devices: ['0000:81:00.0'],
      updatedAt: '2026-11-23T12:31:00.000Z',
      ...record,
    },
  };
}
