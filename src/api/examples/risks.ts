import type { RisksAnswer } from '../risks.dto.js';

export const RISKS_EXAMPLE: RisksAnswer = {
  revision: '661ce9f2f08cd0bb87b6abdf81efb8946fbbdcffaa3f652dd826d7d5c544e493',
  entries: [
    {
      id: 'talk-nvme-host-crash',
      match: [{ class: '0108' }],
      exposures: ['unassigned-extended'],
      effect: 'host-crash',
      severity: 'critical',
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
  ],
};
