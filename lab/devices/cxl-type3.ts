import type { LabDevice } from './device.js';

export default {
  name: 'cxl-type3',
  id: '8086:0d93',
  purpose: 'DVSEC, which vfio passes raw or hides by its version, and DOE, which it hides',
  arguments: [
    ...[
      '-object',
      'memory-backend-ram,id=cxl-memory,size=64M',
      '-object',
      'memory-backend-ram,id=cxl-labels,size=1M',
    ],
    ...['-device', 'cxl-type3,id=cxl,bus=$PORT,memdev=cxl-memory,lsa=cxl-labels'],
  ],
} satisfies LabDevice;
