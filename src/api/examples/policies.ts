import type { PoliciesAnswer } from '../policies.dto.js';
import type {
  ExemptionsAnswer,
  PolicyStatusAnswer,
  SyncAnswer,
  UnderWayAnswer,
} from '../policy-control.dto.js';

export const POLICIES_EXAMPLE: PoliciesAnswer = {
  revision: '8aa242a3551e3b02787d41dd65fd91ea018333bfc48c4f1ba8507c23a24384bc',
  rules: [
    {
      policy: 'baseline',
      file: '/etc/vfio-warden/policies/baseline.yaml',
      rule: {
        name: 'close-extended',
        match: { devices: [{ class: '0108' }] },
        mode: 'enforce',
        require: ['unassigned-extended'],
        mitigations: ['conventional-bus'],
        topologyChange: 'before-first-run',
      },
    },
  ],
};

export const POLICY_STATUS_EXAMPLE: PolicyStatusAnswer = {
  source: 'https://git.example.org/fleet/policies main',
  inForce: {
    id: '4f1d2c9a7b30a1c2d3e4f5061728394a5b6c7d8e9f00112233445566778899aa',
    revision: '8aa242a3551e3b02787d41dd65fd91ea018333bfc48c4f1ba8507c23a24384bc',
    commit: 'c0ffee0123456789abcdef0123456789abcdef01',
    signer: 'alice@example.org',
    activatedAt: '2026-11-26T12:00:00.000Z',
  },
  pinned: undefined,
  held: undefined,
  lastSync: {
    result: 'unchanged',
    detail: 'the source has nothing new',
    at: '2026-11-26T12:05:00.000Z',
  },
  lastRefusal: undefined,
  lastRequest: undefined,
  underWay: [{ step: 'fetching', since: '2026-11-26T12:10:00.000Z' }],
  warnings: [],
};

export const SYNC_EXAMPLE: SyncAnswer = {
  result: 'activated',
  detail: 'revision 4f1d2c9a7b30, commit c0ffee012345, signed by alice@example.org is in force',
};

export const UNDER_WAY_EXAMPLE: UnderWayAnswer = {
  result: 'under-way',
  detail: 'fetching since 2026-11-26T12:10:00.000Z; GET /v1/policies/status says what comes of it',
};

export const EXEMPTIONS_EXAMPLE: ExemptionsAnswer = {
  items: [
    {
      name: 'burn-in',
      state: 'expiring',
      from: '2026-11-26',
      expires: '2026-12-26',
      owner: 'storage team',
      ticket: 'OPS-4711',
      reason: 'vendor tool needs the registers',
      file: 'exemptions/burn-in.yaml',
    },
  ],
};
