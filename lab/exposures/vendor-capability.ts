import { isVendorCapability } from '../../src/pci/config-space/layout-questions.js';
import { attemptsOf, writesWithin, type LabExposure } from './exposure.js';

export default {
  row: 'vendor-capability',
  attempts: ({ layout }) =>
    layout.capabilities.filter(isVendorCapability).flatMap(({ name, start, length, extended }) => {
      const header = extended ? 8 : 4;
      return length > header ? attemptsOf(writesWithin(start + header, length - header, 2), name) : [];
    }),
} satisfies LabExposure;
