import type { ConfigSpaceView, DeviceDetail, DeviceList, DeviceView } from '../devices.dto.js';
import { DOMAIN_UUID } from './decisions.js';

const DEVICE: DeviceView = {
  bdf: '0000:81:00.0',
  vendor: '144d',
  device: 'a80a',
  subsystemVendor: '144d',
  subsystemDevice: 'a813',
  revision: '00',
  class: '010802',
  className: 'NVM Express',
  name: 'Samsung Electronics Co Ltd NVMe SSD Controller PM9A1/PM9A3/980PRO',
  kind: 'pf',
  driver: 'vfio-pci',
  iommuGroup: 40,
  resetMethods: ['flr', 'bus'],
  express: true,
  configSize: 4096,
  configSpaceBytes: 4096,
  risks: [
    {
      exposure: 'unassigned-extended',
      entry: 'talk-nvme-host-crash',
      severity: 'critical',
      effect: 'host-crash',
    },
  ],
  heldBy: [{ uuid: DOMAIN_UUID, name: 'instance-0000002a', active: true }],
};

export const DEVICE_LIST_EXAMPLE: DeviceList = {
  revision: '7b61d43e6effc2a9282890b6b868937a0a0c4e64aa969ba429d86854e1c11dc6',
  items: [DEVICE],
};

export const DEVICE_DETAIL_EXAMPLE: DeviceDetail = {
  ...DEVICE,
  assessment: {
    risks: [
      {
        exposure: 'unassigned-extended',
        risk: {
          entry: 'talk-nvme-host-crash',
          knownBy: 'class',
          severity: 'critical',
          effect: 'host-crash',
          confidence: 'class-level',
          summary:
            'One write of a guest to an unassigned register took down the host, on two NVMe devices of one vendor.',
          evidence: [
            {
              source: 'LPC 2025, "VFIO: Very Frightening I/O?"',
              reference: 'table of failures, rows 1 and 3',
              date: '2025-12',
            },
          ],
        },
      },
    ],
    needs: [],
    mirrors: [],
    notices: [],
    overridden: [],
  },
};

export const CONFIG_SPACE_EXAMPLE: ConfigSpaceView = {
  target: '0000:81:00.0',
  size: 4096,
  complete: true,
  capabilities: [{ extended: false, id: 1, name: 'Power Management', start: 64, length: 8 }],
  hidden: [{ extended: true, id: 25, name: 'Secondary PCI Express', start: 376, length: 12, anchor: false }],
  regions: [
    { start: 0, length: 4, owner: { kind: 'header' }, write: 'none' },
    { start: 72, length: 8, owner: { kind: 'unassigned' }, write: 'raw' },
  ],
  anomalies: [],
};

export const SVG_EXAMPLE = '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 1280 900">...</svg>';
