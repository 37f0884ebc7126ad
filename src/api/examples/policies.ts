import type { PoliciesAnswer } from '../policies.dto.js';

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
