import type { LabExposure } from './exposure.js';
import { unassignedAttempts } from '../accesses/unassigned.js';

export default {
  row: 'unassigned-extended',
  attempts: ({ layout }) => unassignedAttempts(layout, 0x100, 0x1000),
} satisfies LabExposure;
