import type { Decision } from '../../decision/decision.js';
import type { DecisionRecord, DecisionSummary } from '../../store/records.js';
import type { Page } from '../../store/store.js';
import type { DecisionAnswer } from '../decisions.dto.js';
import type { EvaluateResponse } from '../evaluate.dto.js';
import { EVENT_EXAMPLE } from './events.js';

export const DOMAIN_UUID = 'e5a1c2d4-0b6f-4f0e-9d3a-6a2f1f9d7c11';

const DECISION: Decision = {
  id: 'wd-8701f0b20b4786a00f4477ce',
  apiVersion: 'vfio-warden.dev/v1',
  inputs: {
    xml: '4a26fe1c90242342c7f89586ce937890bdee394be8e5d4f001362d4288724fcc',
    inventory: '7b61d43e6effc2a9282890b6b868937a0a0c4e64aa969ba429d86854e1c11dc6',
    host: 'ed26fcf309d671359148857052cc5fd1061d6ccb72a8f6613981ac40bd64b2e5',
    policy: '8aa242a3551e3b02787d41dd65fd91ea018333bfc48c4f1ba8507c23a24384bc',
    risks: '661ce9f2f08cd0bb87b6abdf81efb8946fbbdcffaa3f652dd826d7d5c544e493',
    evaluatedAt: '2026-11-23T12:00:00.000Z',
    domainState: 'new',
    guestHardware: 'may-change',
    ranRestricted: [],
    hostMode: 'enforce',
    hostdevNetworks: [],
  },
  domain: {
    name: 'instance-0000002a',
    uuid: DOMAIN_UUID,
    machine: { arch: 'x86_64', type: 'q35', family: 'q35' },
    family: 'q35',
  },
  verdict: 'restricted',
  devices: [
    {
      carrier: 'hostdev',
      place: 'line 42, column 5',
      source: '0000:81:00.0',
      function: { vendor: '144d', device: 'a80a', class: '010802', kind: 'pf' },
      rule: { policy: 'baseline', name: 'close-extended', file: '/etc/vfio-warden/policies/baseline.yaml' },
      mode: 'enforce',
      required: ['unassigned-extended'],
      findings: [
        {
          exposure: 'unassigned-extended',
          parts: { legacy: false, extended: true },
          certainty: 'seen',
          detail: '3780 bytes',
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
        {
          exposure: 'bar-mmio',
          parts: { legacy: true, extended: true },
          certainty: 'seen',
          detail: 'the BARs are mapped into the guest',
        },
      ],
      needs: [],
      notices: [],
      plan: {
        alreadyClosed: [],
        mechanisms: [
          {
            name: 'conventional-bus',
            closes: ['unassigned-extended'],
            byRule: [],
            exempt: [],
            price:
              "the guest loses the device's PCI Express capability (AER, ATS, PASID), and some drivers stop working",
            proof: 'stock QEMU ends config space at 256 bytes there (pci_adjust_config_limit)',
          },
        ],
        rejected: [{ mechanism: 'kernel-guard', reason: 'the policy rule does not allow it' }],
        residual: [
          {
            exposure: 'bar-mmio',
            parts: { legacy: true, extended: true },
            required: false,
            reason: 'no mechanism closes it',
          },
        ],
      },
      movedAlong: false,
      verdict: 'restricted',
    },
  ],
  edits: [
    {
      kind: 'add-controller',
      target: 'controller pci 5',
      summary: 'pcie-to-pci-bridge 5 is added on bus 2, slot 0',
    },
    {
      kind: 'set-address',
      target: 'hostdev 0000:81:00.0',
      summary: 'plugged into pcie-to-pci-bridge 5, slot 1, function 0',
    },
  ],
  moves: [],
  problems: [],
};

/** The beginning of what `explain()` says of the decision; a spec holds it against that. */
export const EXPLANATION_EXAMPLE = [
  'instance-0000002a: restricted',
  '  decision wd-8701f0b20b4786a00f4477ce, 2026-11-23T12:00:00.000Z, machine q35',
  '  policy 8aa242a3551e, risk database 661ce9f2f08c, host switch enforce',
].join('\n');

export const DECISION_RECORD_EXAMPLE: DecisionRecord = {
  decision: DECISION,
  occasion: { surface: 'proxy', operation: 'define' },
  host: 'node-1',
};

const DECISION_SUMMARY: DecisionSummary = {
  id: DECISION.id,
  host: 'node-1',
  at: '2026-11-23T12:00:00.000Z',
  surface: 'proxy',
  operation: 'define',
  domainName: 'instance-0000002a',
  domainUuid: DOMAIN_UUID,
  verdict: 'restricted',
  devices: ['0000:81:00.0'],
};

export const DECISION_PAGE_EXAMPLE: Page<DecisionSummary> = {
  items: [DECISION_SUMMARY],
  next: 'WyJkZWNpc2lvbnMiLCIyMDI2LTExLTIzVDEyOjAwOjAwLjAwMFoiXQ',
};

export const DECISION_ANSWER_EXAMPLE: DecisionAnswer = {
  record: DECISION_RECORD_EXAMPLE,
  events: [EVENT_EXAMPLE],
  explanation: EXPLANATION_EXAMPLE,
};

export const EVALUATE_EXAMPLE: EvaluateResponse = {
  decision: DECISION,
  xml: "<domain type='kvm'><name>instance-0000002a</name>...</domain>",
  explanation: EXPLANATION_EXAMPLE,
};
