import { beforeAll, describe, expect, it } from 'vitest';
import type { HostCapabilities } from '../../src/host/host-capabilities.js';
import type { RiskDatabase } from '../../src/risk/risk-database.js';
import { readRiskDirectory } from '../../src/risk/risk-loader.js';
import { FILTER_HOST, GUARDED_HOST, PARAMETER_HOST, PRELOAD_HOST, STOCK_HOST } from '../fixtures/hosts.js';
import { decideAbout, domain, hostdev, policyOf } from '../fixtures/scenario.js';

/** A policy that enforces whatever the risk database says, by anything but a change of the machine. */
const POLICY = policyOf(
  '{ name: all, mode: enforce, require: risks, mitigations: [kernel-guard, kernel-parameters, qemu-config-filter, conventional-bus], topologyChange: before-first-run }',
);

const HOSTS: Record<string, HostCapabilities> = {
  stock: STOCK_HOST,
  'kernel-guard': GUARDED_HOST,
  'kernel-parameters': PARAMETER_HOST,
  'filter, property': FILTER_HOST,
  'filter, preload': PRELOAD_HOST,
};

/** Functions of the fixture node that stand for the talk's anonymous devices; a mirror in a BAR is the GPU's own risk. */
const NVME = '0000:81:00.0';
const VGA = '0000:af:00.0';
const COMPUTE_GPU = '0000:65:00.0';
const NIC = '0000:3b:00.0';
const SMARTNIC = '0000:d8:00.0';

const EXTENDED = 'unassigned-extended';
const MIRROR = 'config-mirror-in-bar';
const POWER = 'power-management';

/**
 * The ten failures of the talk's table, and for each host: the mechanism that vfio-warden takes, and what of the required
 * stays open with it. `-`: nothing that may be used closes anything of it.
 *
 * Rows 5 to 7 are judged twice: a GPU of the VGA class, which has a mirror that QEMU traps and one (BAR5) that it does not,
 * and a compute GPU, whose mirror nobody traps. For the former, what stays open of unassigned-extended is 0x704, by which
 * its driver acknowledges interrupts: mechanisms that can leave just that open do, the kernel parameters cannot. Rows 9 and 10 are bare metal: no VFIO stands between tenant and device, so they require nothing of a VM.
 */
const ROWS: [
  rows: string,
  device: string,
  required: string[],
  outcome: Record<string, [by: string, open: string[]]>,
][] = [
  [
    '1-4: NVMe, unassigned extended',
    NVME,
    [EXTENDED],
    {
      stock: ['conventional-bus', []],
      'kernel-guard': ['kernel-guard', []],
      'kernel-parameters': ['kernel-parameters', []],
      'filter, property': ['qemu-config-filter', []],
      'filter, preload': ['qemu-config-filter', []],
    },
  ],
  [
    '5-7: GPU of the VGA class, unassigned extended',
    VGA,
    [EXTENDED, MIRROR],
    {
      stock: ['conventional-bus', [MIRROR]],
      'kernel-guard': ['kernel-guard', [EXTENDED, MIRROR]],
      'kernel-parameters': ['conventional-bus', [MIRROR]],
      'filter, property': ['qemu-config-filter', [EXTENDED]],
      'filter, preload': ['qemu-config-filter', [EXTENDED, MIRROR]],
    },
  ],
  [
    '5-7: compute GPU, unassigned extended',
    COMPUTE_GPU,
    [EXTENDED, MIRROR],
    {
      stock: ['conventional-bus', [MIRROR]],
      'kernel-guard': ['kernel-guard', [MIRROR]],
      'kernel-parameters': ['kernel-parameters', [MIRROR]],
      'filter, property': ['qemu-config-filter', []],
      'filter, preload': ['qemu-config-filter', [MIRROR]],
    },
  ],
  [
    '8: NIC, power management',
    NIC,
    [POWER],
    {
      stock: ['-', [POWER]],
      'kernel-guard': ['kernel-guard', []],
      'kernel-parameters': ['-', [POWER]],
      'filter, property': ['qemu-config-filter', []],
      'filter, preload': ['qemu-config-filter', []],
    },
  ],
];

let risks: RiskDatabase;
beforeAll(async () => {
  risks = await readRiskDirectory('policies/risks');
});

function judge(bdf: string, host: HostCapabilities) {
  const { decision } = decideAbout(domain(hostdev(bdf)), { policy: POLICY, risks, host });
  return decision.devices[0]!;
}

describe.each(ROWS)('row %s', (_, bdf, required, outcomes) => {
  it.each(Object.entries(outcomes))('on a host with %s', (name, [by, open]) => {
    const { plan, ...device } = judge(bdf, HOSTS[name]!);
    expect(device.required).toEqual(expect.arrayContaining(required));
    const relevant = plan.residual.filter(({ exposure }) => required.includes(exposure));
    expect(new Set(relevant.map(({ exposure }) => exposure))).toEqual(new Set(open));
    for (const { exposure, reason } of relevant) {
      if (exposure === EXTENDED) expect(reason).toMatch(/^0x704-0x70. is left to the driver/);
    }
    const closing = plan.mechanisms.filter(({ closes }) =>
      closes.some((exposure) => required.includes(exposure)),
    );
    expect(closing.map((mechanism) => mechanism.name).join(', ') || '-').toBe(by);
  });

  it('leaves what no mechanism closes open, and says so on every host', () => {
    for (const host of Object.values(HOSTS)) {
      expect(judge(bdf, host).plan.residual.map(({ exposure }) => exposure)).toContain('bar-mmio');
    }
  });
});

describe('rows 9 and 10: SmartNICs on bare metal', () => {
  it('are noted as out of reach, and require nothing', () => {
    const device = judge(SMARTNIC, GUARDED_HOST);
    expect(device.notices).toContainEqual(
      expect.objectContaining({
        reason: 'bare-metal',
        risk: expect.objectContaining({ entry: 'talk-smartnic-bare-metal' }) as object,
      }),
    );
    expect(device.required).not.toContain(EXTENDED);
  });
});

describe('virtual functions', () => {
  it('are not spoken of: the failures were seen on physical functions only', () => {
    expect(
      judge('0000:3b:02.1', STOCK_HOST).findings.filter(({ risk }) => risk?.entry.startsWith('talk-')),
    ).toEqual([]);
  });
});
