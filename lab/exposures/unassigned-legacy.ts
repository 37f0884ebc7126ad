import type { LabExposure } from './exposure.js';
import { unassignedAttempts } from '../accesses/unassigned.js';

export default {
  row: 'unassigned-legacy',
  attempts: ({ layout }) => unassignedAttempts(layout, 0x40, 0x100),
} satisfies LabExposure;
