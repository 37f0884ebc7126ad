import type { LabMechanism } from './lab-mechanism.js';

export default { column: 'i440fx', mitigations: ['i440fx'] } satisfies LabMechanism;
