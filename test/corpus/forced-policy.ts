import type { PolicySet } from '../../src/policy/policy-set.js';
import type { MechanismName } from '../../src/mitigation/mechanism.js';

/** A policy that forces one mechanism on every assigned device, or refuses every device (`deny`). */
export function forcing(mechanism: MechanismName): PolicySet {
  return {
    revision: `forced-${mechanism}`,
    rules: [
      {
        policy: 'corpus',
        file: 'corpus.yaml',
        rule: {
          name: `force-${mechanism}`,
          mode: 'enforce',
          require: ['unassigned-extended'],
          mitigations: mechanism === 'deny' ? [] : [mechanism],
          topologyChange: 'always',
          uncovered: mechanism === 'deny' ? 'deny' : 'warn',
        },
      },
    ],
  };
}
