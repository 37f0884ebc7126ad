import { EXPOSURE_NAMES, type Exposure } from '../../src/risk/exposure.js';
import { MECHANISMS } from '../../src/mitigation/mechanism.js';
import type { Column } from '../evidence/observation.js';
import type { LabMechanism } from '../mechanisms/lab-mechanism.js';

/** What needs no rule for a device: a vendor's own registers stay open. */
const CLOSED_BY_STANDARD: readonly Exposure[] = [
  'unassigned-extended',
  'unassigned-legacy',
  'hidden-capability',
];

/** The domain that shows a column's mechanism in other circumstances. */
export function circumstancesDomain(column: Column): string {
  return `lab-circumstances-${column}`;
}

/** The domain whose unassigned bytes are to be closed to reads, too. */
export const READS_DOMAIN = 'lab-reads';

/** The domain of which one device is exempt from everything. */
export const EXEMPTED_DOMAIN = 'lab-filter-exempted';

/** Days. */
const EXEMPT_FOR = 30;

/** Somebody's word that the virtio-net of one domain stays as it is. */
export function labExemption(now: Date): Record<string, unknown> {
  const day = (days: number) => new Date(now.getTime() + days * 86_400_000).toISOString().slice(0, 10);
  return {
    apiVersion: 'vfio-warden.dev/v1',
    kind: 'Exemption',
    metadata: { name: 'lab-virtio-net' },
    spec: {
      match: {
        devices: [{ vendor: '1af4', device: '1041' }],
        domains: [{ name: EXEMPTED_DOMAIN }],
      },
      reason: 'its driver writes where nothing is',
      owner: 'lab',
      ticket: 'LAB-1',
      from: day(-1),
      expires: day(EXEMPT_FOR),
    },
  };
}

/** A policy with a rule for each column: the domain of that name is to have every exposure closed by that mechanism. */
export function labPolicy(mechanisms: readonly LabMechanism[]): Record<string, unknown> {
  return {
    apiVersion: 'vfio-warden.dev/v1',
    kind: 'Policy',
    metadata: { name: 'lab' },
    spec: {
      rules: [
        ...mechanisms.map(({ column, mitigations }) => ruleFor(`lab-${column}`, mitigations)),
        ...mechanisms.map(({ column, mitigations }) =>
          ruleFor(circumstancesDomain(column), mitigations, CLOSED_BY_STANDARD),
        ),
        ruleFor('lab-depth-bus', ['conventional-bus']),
        ruleFor('lab-depth-guard', ['kernel-guard']),
        ruleFor('lab-depth-filter', ['qemu-config-filter']),
        ruleFor(EXEMPTED_DOMAIN, ['qemu-config-filter'], CLOSED_BY_STANDARD),
        ruleFor('lab-guard-all', ['kernel-guard']),
        ruleFor('lab-guard-standard', ['kernel-guard'], CLOSED_BY_STANDARD),
        { ...ruleFor(READS_DOMAIN, ['kernel-guard'], CLOSED_BY_STANDARD), unassignedReads: 'block' },
        // Whatever the host has, the least disruptive first.
        ruleFor(
          'lab-*',
          MECHANISMS.filter((name) => name !== 'deny' && name !== 'i440fx'),
        ),
      ],
    },
  };
}

/** The windows of the device that stands for a GPU: what poses as NVIDIA's in the guest only has another id on the host. */
export function labRisks(): Record<string, unknown> {
  return {
    apiVersion: 'vfio-warden.dev/v1',
    kind: 'RiskList',
    entries: [
      {
        id: 'lab-vga-config-mirror',
        match: { vendor: '1234', device: '1111' },
        exposures: ['config-mirror-in-bar'],
        effect: 'host-crash',
        severity: 'high',
        confidence: 'likely',
        summary: 'It stands for a GPU with a window that QEMU traps, and the one of Hopper and later.',
        mirrors: [
          { bar: 0, offset: '0x88000', size: '0x1000', addressing: 'direct', trappedByQemu: 'always' },
          { bar: 0, offset: '0x92000', size: '0x1000', addressing: 'direct', trappedByQemu: 'never' },
        ],
        evidence: [{ source: 'lab', reference: 'lab/devices/nvidia-vga.ts', date: '2026-11' }],
      },
    ],
  };
}

/** A policy of one rule, for a mechanism that cannot tell domains apart: every exposure closed, in every domain. */
export function policyOfOne({ column, mitigations }: LabMechanism): Record<string, unknown> {
  const { match: _, ...rule } = ruleFor(column, mitigations);
  return {
    apiVersion: 'vfio-warden.dev/v1',
    kind: 'Policy',
    metadata: { name: 'lab' },
    spec: { rules: [{ ...rule, unassignedReads: 'block' }] },
  };
}

/** @param domain name of the domain that the rule is for, `*` for any characters */
export function ruleFor(
  domain: string,
  mitigations: readonly string[],
  required: readonly Exposure[] = EXPOSURE_NAMES,
): Record<string, unknown> {
  const match = { domains: [{ name: domain }] };
  const name = domain.replaceAll('*', 'any');
  if (mitigations.length === 0) return { name, match, mode: 'off' };
  return {
    name,
    match,
    mode: 'enforce',
    require: required,
    mitigations,
    topologyChange: 'always',
    uncovered: 'warn',
  };
}
