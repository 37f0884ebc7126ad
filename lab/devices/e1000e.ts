import type { LabDevice } from './device.js';

export default {
  name: 'e1000e',
  id: '8086:10d3',
  purpose: 'Advanced Error Reporting, power management without No_Soft_Reset, a network link',
  arguments: [
    '-netdev',
    'hubport,id=lan,hubid=0',
    '-device',
    'e1000e,id=e1000e,bus=$PORT,netdev=lan,romfile=',
  ],
} satisfies LabDevice;
