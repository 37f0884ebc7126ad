import type { DomainRecord } from '../../store/records.js';
import type { Page } from '../../store/store.js';
import type { DomainExplanation } from '../domains.dto.js';
import { DECISION_RECORD_EXAMPLE, DOMAIN_UUID, EXPLANATION_EXAMPLE } from './decisions.js';
import { EVENT_EXAMPLE } from './events.js';

export const DOMAIN_EXAMPLE: DomainRecord = {
  host: 'node-1',
  uuid: DOMAIN_UUID,
  name: 'instance-0000002a',
  owner: {
    instanceName: 'web-1',
    projectId: '6b1f8c2e9a4d4f7b8e0c5d3a2f1b9e77',
    projectName: 'shop',
    userName: 'alice',
    flavor: 'nvme.large',
  },
  active: true,
  persistent: true,
  state: 'has-run',
  ranRestricted: ['0000:81:00.0'],
  decisionId: 'wd-8701f0b20b4786a00f4477ce',
  verdict: 'restricted',
  unprotected: false,
  devices: ['0000:81:00.0'],
  updatedAt: '2026-11-23T12:00:03.000Z',
};

export const DOMAIN_PAGE_EXAMPLE: Page<DomainRecord> = { items: [DOMAIN_EXAMPLE] };

export const DOMAIN_EXPLANATION_EXAMPLE: DomainExplanation = {
  domain: DOMAIN_EXAMPLE,
  record: DECISION_RECORD_EXAMPLE,
  events: [EVENT_EXAMPLE],
  explanation: [
    EXPLANATION_EXAMPLE,
    '...',
    '',
    'Now: runs on node-1',
    'Owner: instance web-1, project shop (6b1f8c2e9a4d4f7b8e0c5d3a2f1b9e77), user alice, flavor nvme.large',
    '',
    'What happened since:',
    '  2026-11-23T12:00:00.120Z rewritten: define: 2 edits',
    '',
  ].join('\n'),
};
