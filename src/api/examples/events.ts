import type { StoredEvent } from '../../store/records.js';
import type { Page } from '../../store/store.js';

export const EVENT_EXAMPLE: StoredEvent = {
  sequence: 1207,
  host: 'node-1',
  at: '2026-11-23T12:00:00.120Z',
  kind: 'rewritten',
  decisionId: 'wd-8701f0b20b4786a00f4477ce',
  domainUuid: 'e5a1c2d4-0b6f-4f0e-9d3a-6a2f1f9d7c11',
  domainName: 'instance-0000002a',
  detail: 'define: 2 edits',
};

export const EVENT_PAGE_EXAMPLE: Page<StoredEvent> = {
  items: [
    {
      sequence: 1208,
      host: 'node-1',
      at: '2026-11-23T12:05:00.000Z',
      kind: 'mode-changed',
      actor: 'token:night-shift',
      detail: 'enforce -> observe: ticket 4711',
    },
    EVENT_EXAMPLE,
  ],
};
