import { describe, expect, it } from 'vitest';
import { FILTER_HOST, GUARDED_HOST, PARAMETER_HOST } from '../../test/fixtures/hosts.js';
import { decideAbout, domain, hostdev, policyOf, risksOf } from '../../test/fixtures/scenario.js';
import { undoEdits } from '../domain-xml/undo.js';
import { explain } from './explanation.js';

const NVME = '0000:81:00.0';
const GPU = '0000:af:00.0';
const GPU_AUDIO = '0000:af:00.1';
const TG3 = '0000:5e:00.0';

const CLOSE_EXTENDED =
  '{ name: close, mode: enforce, require: [unassigned-extended], mitigations: [kernel-guard, conventional-bus, i440fx], topologyChange: before-first-run }';
const RULE_FOR = (change: string) => policyOf(CLOSE_EXTENDED.replace('before-first-run', change));
const policy = policyOf(CLOSE_EXTENDED);

describe('a domain with an NVMe controller on a stock host', () => {
  const xml = domain(hostdev(NVME));

  it('gets a conventional bus before its first run', () => {
    const { decision, xml: result } = decideAbout(xml, { policy });
    expect(decision.verdict).toBe('restricted');
    expect(decision.devices[0]!.plan.mechanisms.map(({ name }) => name)).toEqual(['conventional-bus']);
    expect(result).toContain("model='pcie-to-pci-bridge'");
    expect(undoEdits(result)).toBe(xml);
  });

  it('keeps its hardware once it has run, and the decision says why', () => {
    for (const domainState of ['has-run', 'unknown'] as const) {
      const { decision, xml: result } = decideAbout(xml, { policy, domainState });
      expect(result).toBe(xml);
      expect(decision.verdict).toBe('unrestricted');
      expect(decision.devices[0]!.plan.rejected).toContainEqual({
        mechanism: 'conventional-bus',
        reason: expect.stringContaining('before the first run only') as string,
      });
      expect(decision.devices[0]!.plan.residual).toContainEqual(
        expect.objectContaining({ exposure: 'unassigned-extended', required: true }),
      );
    }
  });

  it('changes after it has run only where policy says always', () => {
    expect(decideAbout(xml, { policy: RULE_FOR('always'), domainState: 'has-run' }).decision.verdict).toBe(
      'restricted',
    );
    expect(decideAbout(xml, { policy: RULE_FOR('never') }).decision.verdict).toBe('unrestricted');
  });

  it('is decided about again without a change: it sees the bus, not a marker', () => {
    const once = decideAbout(xml, { policy }).xml;
    const { decision, xml: twice } = decideAbout(once, { policy, domainState: 'has-run' });
    expect(twice).toBe(once);
    expect(decision.verdict).toBe('restricted');
    expect(decision.devices[0]!.plan.alreadyClosed).toEqual([
      { by: 'conventional-bus', exposures: expect.arrayContaining(['unassigned-extended']) as string[] },
    ]);
  });

  it('is denied where policy says so and nothing closes what it requires', () => {
    const denying = policyOf(
      '{ name: deny, mode: enforce, require: [power-management], mitigations: [conventional-bus], topologyChange: always, uncovered: deny }',
    );
    const { decision, xml: result } = decideAbout(xml, { policy: denying });
    expect(decision.verdict).toBe('denied');
    expect(result).toBe(xml);
    expect(decision.edits).toEqual([]);
  });

  it('is not said to be changed where another device of the domain gets it refused', () => {
    const mixed = policyOf(
      "{ name: nvme, match: { devices: [{ class: '0108' }] }, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: always }",
      '{ name: rest, mode: enforce, require: [bar-mmio], mitigations: [], uncovered: deny }',
    );
    const { decision, xml: result } = decideAbout(domain(hostdev(NVME) + hostdev(TG3)), { policy: mixed });
    expect(decision.verdict).toBe('denied');
    expect(result).not.toContain('pcie-to-pci-bridge');
    expect(explain(decision)).toMatch(/would do +conventional-bus/);
    expect(explain(decision)).not.toMatch(/^ +done/m);
  });
});

describe('the least disruptive mechanism that suffices', () => {
  const xml = domain(hostdev(NVME));

  it('is the guard where it is armed: nothing of the VM changes', () => {
    const { decision, xml: result } = decideAbout(xml, { policy, host: GUARDED_HOST });
    expect(decision.devices[0]!.plan.mechanisms.map(({ name }) => name)).toEqual(['kernel-guard']);
    expect(result).toBe(xml);
  });

  it('is one that closes everything that is required, even if it is less preferred', () => {
    const both = policyOf(
      '{ name: both, mode: enforce, require: [unassigned-legacy, power-management], mitigations: [kernel-parameters, qemu-config-filter], topologyChange: never }',
    );
    const host = { ...PARAMETER_HOST, qemuConfigFilter: FILTER_HOST.qemuConfigFilter };
    const names = decideAbout(xml, { policy: both, host }).decision.devices[0]!.plan.mechanisms.map(
      ({ name }) => name,
    );
    expect(names).toEqual(['qemu-config-filter']);
  });

  it('never is one that no probe has seen', () => {
    const { decision } = decideAbout(xml, {
      policy,
      host: { ...GUARDED_HOST, kernelGuard: { state: 'unknown', detail: 'the probe failed' } },
    });
    expect(decision.devices[0]!.plan.mechanisms.map(({ name }) => name)).toEqual(['conventional-bus']);
  });

  it('leaves out a device that uaccess_allow_ids exempts from the parameters', () => {
    const rule = policyOf(
      '{ name: a, mode: enforce, require: [unassigned-extended], mitigations: [kernel-parameters] }',
    );
    const host = {
      ...PARAMETER_HOST,
      kernelParameters: { ...PARAMETER_HOST.kernelParameters, allowIds: ['144d:a80a'] },
    };
    expect(decideAbout(xml, { policy: rule, host }).decision.verdict).toBe('unrestricted');
  });
});

describe('a multi-function device', () => {
  it('stays together: the audio function moves with its GPU although policy does not speak of it', () => {
    const gpuOnly = policyOf(
      "{ name: gpu, match: { devices: [{ class: '03' }] }, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: always }",
    );
    const { decision, xml } = decideAbout(domain(hostdev(GPU) + hostdev(GPU_AUDIO)), { policy: gpuOnly });
    expect(decision.devices.map(({ source, movedAlong }) => [source, movedAlong])).toEqual([
      [GPU, false],
      [GPU_AUDIO, true],
    ]);
    const buses = [
      ...xml.matchAll(/<\/source>\s*<address type='pci' domain='0x0000' bus='(0x..)' slot='0x0[12]'/g),
    ].map(([, bus]) => bus);
    expect(new Set(buses).size).toBe(1);
    expect(buses).toHaveLength(2);
  });
});

describe('the shipped baseline', () => {
  it('enforces what is known of a device by its ids, and not what is known of its class', () => {
    const risks = risksOf(
      "id: by-class, match: { class: '0108' }, exposures: [unassigned-extended], effect: host-crash, severity: critical, confidence: class-level, summary: some NVMe",
      'id: by-id, match: { vendor: 144d, device: a80a }, exposures: [reset], effect: device-crash, severity: high, confidence: confirmed, summary: this NVMe',
    );
    const rule = policyOf(
      '{ name: known, match: { risk: { knownBy: device } }, mode: enforce, require: risks, mitigations: [kernel-guard, conventional-bus], topologyChange: before-first-run }',
    );
    const { decision } = decideAbout(domain(hostdev(NVME)), { policy: rule, risks });
    expect(decision.devices[0]!.required).toEqual(['reset']);
    expect(decision.edits).toEqual([]);
  });
});

describe('a machine that is not q35', () => {
  it('i440fx has extended space closed already, and what stays open is listed', () => {
    const { decision, xml } = decideAbout(domain(hostdev(NVME), 'pc-i440fx-7.2'), { policy });
    expect(decision.verdict).toBe('restricted');
    expect(decision.edits).toEqual([]);
    expect(xml).not.toContain('warden');
    expect(decision.devices[0]!.plan.residual.map(({ exposure }) => exposure)).toEqual(
      expect.arrayContaining(['unassigned-legacy', 'power-management', 'bar-mmio']),
    );
  });

  it('a domain that names none gets the host’s default', () => {
    const xml = domain(hostdev(NVME)).replace(" machine='q35'", '');
    expect(decideAbout(xml, { policy }).decision.domain.family).toBe('i440fx');
  });

  it('one that we do not know is not claimed to be closed', () => {
    const { decision } = decideAbout(domain(hostdev(NVME), 'microvm'), { policy });
    expect(decision.verdict).toBe('unrestricted');
    expect(decision.devices[0]!.plan.alreadyClosed).toEqual([]);
  });
});

describe('the conversion to i440fx', () => {
  const convert = policyOf(
    '{ name: convert, mode: enforce, require: [unassigned-extended], mitigations: [i440fx], topologyChange: before-first-run }',
  );

  it('closes extended space for the whole domain, and names every device that moves', () => {
    const nic = "<interface type='user'><model type='virtio'/></interface>";
    const { decision, xml } = decideAbout(domain(nic + hostdev(NVME)), { policy: convert });
    expect(decision.verdict).toBe('restricted');
    expect(xml).toContain("machine='pc'");
    expect(decision.moves.map(({ device }) => device)).toContain('interface 0');
  });

  it('is refused with the reason where the guest needs q35', () => {
    const xml = domain(hostdev(NVME), 'q35', "<features><smm state='on'/></features>");
    const { decision, xml: result } = decideAbout(xml, { policy: convert });
    expect(result).toBe(xml);
    expect(decision.devices[0]!.plan.rejected).toContainEqual({
      mechanism: 'i440fx',
      reason: expect.stringMatching(/needs q35: SMM is switched on.*line 1, column/) as string,
    });
  });
});

describe('what a driver needs', () => {
  const risks = risksOf(
    'id: tg3-needs, match: { vendor: 14e4, device: 1657 }, exposures: [unassigned-legacy], effect: compatibility, severity: info, confidence: likely, summary: tg3 writes 0x68-0x74, needs: [{ registers: 0x68-0x74, access: [read, write], by: guest }]',
  );
  const rule = policyOf(
    '{ name: all, mode: enforce, require: [unassigned-legacy, unassigned-extended], mitigations: [kernel-parameters, kernel-guard, conventional-bus], topologyChange: always }',
  );

  it('is left open by a mechanism that can leave just that open, and the decision says so', () => {
    const { decision } = decideAbout(domain(hostdev(TG3)), { policy: rule, risks, host: GUARDED_HOST });
    const [device] = decision.devices;
    expect(device!.plan.mechanisms[0]).toMatchObject({
      name: 'kernel-guard',
      exempt: [{ from: 0x68, to: 0x74 }],
    });
    expect(device!.plan.residual).toContainEqual(
      expect.objectContaining({
        reason: expect.stringContaining('0x68-0x74 is left to the driver') as string,
      }),
    );
  });

  it('excludes one that cannot', () => {
    const { decision } = decideAbout(domain(hostdev(TG3)), { policy: rule, risks, host: PARAMETER_HOST });
    expect(decision.devices[0]!.plan.mechanisms.map(({ name }) => name)).toEqual(['conventional-bus']);
    expect(decision.devices[0]!.plan.rejected).toContainEqual({
      mechanism: 'kernel-parameters',
      reason: expect.stringMatching(/would break the device.*tg3-needs/) as string,
    });
  });

  it('exempts the device where nobody knows which registers it is', () => {
    const unknown = risksOf(
      'id: tg3-needs, match: { vendor: 14e4, device: 1657 }, exposures: [unassigned-legacy, unassigned-extended], effect: compatibility, severity: info, confidence: likely, summary: tg3 writes somewhere, needs: [{ registers: unknown, access: [read, write], by: guest }]',
    );
    const { decision } = decideAbout(domain(hostdev(TG3)), {
      policy: rule,
      risks: unknown,
      host: GUARDED_HOST,
    });
    expect(decision.verdict).toBe('exempt');
    expect(decision.edits).toEqual([]);
  });
});

describe('observing', () => {
  it.each([
    ['by the rule', { policy: policyOf(CLOSE_EXTENDED.replace('enforce', 'observe')) }],
    ['by the host’s switch', { policy, hostMode: 'observe' as const }],
  ])('%s changes nothing, and says what enforcing would do', (_, given) => {
    const xml = domain(hostdev(NVME));
    const { decision, xml: result } = decideAbout(xml, given);
    expect(result).toBe(xml);
    expect(decision.verdict).toBe('observed');
    expect(decision.devices[0]!.plan.mechanisms.map(({ name }) => name)).toEqual(['conventional-bus']);
  });

  it('switched off, a domain is not looked at', () => {
    const { decision } = decideAbout(domain(hostdev(NVME)), { policy, hostMode: 'off' });
    expect(decision.verdict).toBe('unrestricted');
    expect(decision.devices[0]!.plan.mechanisms).toEqual([]);
  });
});

describe('what cannot be judged', () => {
  it('a device that the inventory does not have is named with a remedy, and everything is assumed', () => {
    const { decision } = decideAbout(domain(hostdev('0000:77:00.0')), { policy });
    expect(decision.problems).toEqual([
      {
        place: '0000:77:00.0',
        problem: expect.stringContaining('not in the inventory') as string,
        remedy: expect.any(String) as string,
      },
    ]);
    expect(decision.verdict).toBe('restricted');
    expect(decision.devices[0]!.findings.every(({ certainty }) => certainty === 'assumed')).toBe(true);
  });

  it('a domain without assigned devices is left alone whatever policy says', () => {
    const xml = domain("<interface type='network'><source network='default'/></interface>");
    const { decision, xml: result } = decideAbout(xml, { policy });
    expect(decision).toMatchObject({ verdict: 'unrestricted', devices: [], edits: [] });
    expect(result).toBe(xml);
  });

  it('raw QEMU arguments are found, and cannot be moved', () => {
    const args =
      "<qemu:commandline><qemu:arg value='-device'/><qemu:arg value='vfio-pci,host=81:00.0'/></qemu:commandline>";
    const { decision } = decideAbout(domain('', 'q35', args), { policy });
    expect(decision.devices[0]).toMatchObject({
      carrier: 'qemu-argument',
      source: NVME,
      verdict: 'unrestricted',
    });
  });
});

describe('the decision', () => {
  it('is named by its inputs: the same give the same id, another time gives another', () => {
    const xml = domain(hostdev(NVME));
    const id = (given = {}) => decideAbout(xml, { policy, ...given }).decision.id;
    expect(id()).toMatch(/^wd-[0-9a-f]{24}$/);
    expect(id()).toBe(id());
    expect(id({ evaluatedAt: '2026-11-24T12:00:00.000Z' })).not.toBe(id());
    expect(id({ domainState: 'has-run' })).not.toBe(id());
  });
});
