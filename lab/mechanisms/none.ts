import type { LabMechanism } from './lab-mechanism.js';

/** A domain that nothing restricts: what does not arrive here shows nothing elsewhere. */
export default { column: 'none', mitigations: [] } satisfies LabMechanism;
