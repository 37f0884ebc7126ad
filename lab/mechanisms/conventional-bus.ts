import type { LabMechanism } from './lab-mechanism.js';

export default { column: 'conventional-bus', mitigations: ['conventional-bus'] } satisfies LabMechanism;
