import { describe, expect, it } from 'vitest';
import { FILTER_HOST, PRELOAD_HOST, STOCK_HOST } from '../../../test/fixtures/hosts.js';
import { decideAbout, domain, hostdev, policyOf, risksOf } from '../../../test/fixtures/scenario.js';
import { undoEdits } from '../../domain-xml/undo.js';
import { readXml } from '../../domain-xml/xml-reader.js';
import { rulesInForce } from '../../domain-xml/qemu-filter.js';
import { filterDigest, filterText, rulesOf } from './filter-text.js';

const NVME = '0000:81:00.0';
const GPU = '0000:af:00.0';
const TG3 = '0000:5e:00.0';
const LIBRARY = '/usr/lib/vfio-warden/vfio-config-filter.so';

/** Hidden capabilities lie in unassigned bytes, and are named besides. */
const RULES =
  'unassigned:w:block;unassigned:r:allow;cfg:178-213:w:block;cfg:21c-22b:w:block;cfg:3a0-3ab:w:block';
/** And what a device gets that is plugged in later. */
const TEXT = `${NVME}=${RULES} *=unassigned:w:block`;

const policy = policyOf(
  '{ name: filter, mode: enforce, require: [unassigned-extended, unassigned-legacy], mitigations: [qemu-config-filter] }',
);

describe('a domain whose QEMU has the property', () => {
  it('gets rules by host address, for all of QEMU, and the original back', () => {
    const xml = domain(hostdev(NVME));
    const { decision, xml: result } = decideAbout(xml, { policy, host: FILTER_HOST });

    expect(decision.verdict).toBe('restricted');
    expect(result).toContain("<qemu:arg value='-global'/>");
    expect(result).toContain("<qemu:arg value='vfio-pci.x-config-filter=block'/>");
    expect(result).toContain(`<qemu:arg value='vfio-pci.x-config-filter-rules=${TEXT}'/>`);
    expect(undoEdits(result)).toBe(xml);
    expect(decideAbout(result, { policy, host: FILTER_HOST }).xml).toBe(result);
  });

  it('keeps what the domain has there already', () => {
    const rest =
      "<qemu:commandline><qemu:env name='X' value='1'/><qemu:arg value='-set'/><qemu:arg value='device.net0.mq=on'/></qemu:commandline>";
    const { xml } = decideAbout(domain(hostdev(TG3), 'q35', rest), { policy, host: FILTER_HOST });

    expect(xml).toContain("value='device.net0.mq=on'/><qemu:arg value='-global'/>");
    expect(xml.match(/<qemu:commandline/g)).toHaveLength(1);
  });

  it('traps windows that QEMU does not know, where risk data names them', () => {
    const risks = risksOf(
      'id: mirror, match: { vendor: 10de }, exposures: [config-mirror-in-bar], effect: host-crash, severity: high, confidence: likely, summary: s, mirrors: [{ bar: 0, offset: 0x92000, size: 0x1000, addressing: direct, trappedByQemu: never }]',
    );
    const closing = policyOf(
      '{ name: m, mode: enforce, require: [config-mirror-in-bar], mitigations: [qemu-config-filter] }',
    );

    const { xml } = decideAbout(domain(hostdev(GPU)), { policy: closing, host: FILTER_HOST, risks });
    expect(xml).toContain('bar0:92000-92fff:w:block');
    // The library never sees accesses to what is mapped into the guest.
    const preload = decideAbout(domain(hostdev(GPU)), { policy: closing, host: PRELOAD_HOST, risks });
    expect(preload.decision.devices[0]!.plan.mechanisms).toEqual([]);
  });
});

describe('a domain on a stock QEMU', () => {
  it('gets the library before what it preloads itself', () => {
    const rest =
      "<qemu:commandline><qemu:env name='LD_PRELOAD' value='/usr/lib/other.so'/></qemu:commandline>";
    const xml = domain(hostdev(NVME), 'q35', rest);
    const { xml: result } = decideAbout(xml, { policy, host: PRELOAD_HOST });

    expect(result).toContain(`<qemu:env name='LD_PRELOAD' value='${LIBRARY}:/usr/lib/other.so'/>`);
    expect(result).toContain("<qemu:env name='VFIO_WARDEN_FILTER' value='block'/>");
    expect(rulesInForce(readXml(result))).toBe(TEXT);
    expect(undoEdits(result)).toBe(xml);
    expect(decideAbout(result, { policy, host: PRELOAD_HOST }).xml).toBe(result);
  });

  it('leaves a driver the registers that it needs, and says what stays open', () => {
    const risks = risksOf(
      'id: ack, match: { vendor: 10de }, exposures: [unassigned-extended], effect: compatibility, severity: low, confidence: likely, summary: acknowledges interrupts there, needs: [{ registers: 0x704-0x707, access: write, by: guest }]',
    );
    const { decision, xml } = decideAbout(domain(hostdev(GPU)), { policy, host: PRELOAD_HOST, risks });

    expect(xml).toContain('cfg:704-707:rw:allow');
    expect(decision.devices[0]!.plan.residual).toContainEqual(
      expect.objectContaining({
        reason: expect.stringContaining('0x704-0x707 is left to the driver') as string,
      }),
    );
  });

  it('closes the short cut of NVIDIA’s quirk', () => {
    const risks = risksOf(
      'id: mirror, match: { vendor: 10de }, exposures: [config-mirror-in-bar], effect: host-crash, severity: high, confidence: likely, summary: s, mirrors: [{ bar: 0, offset: 0x88000, size: 0x1000, addressing: direct, trappedByQemu: always }]',
    );
    const closing = policyOf(
      '{ name: m, mode: enforce, require: [config-mirror-in-bar], mitigations: [qemu-config-filter] }',
    );
    const { xml } = decideAbout(domain(hostdev(GPU)), { policy: closing, host: PRELOAD_HOST, risks });

    expect(xml).toContain("<qemu:arg value='vfio-pci.x-no-kvm-ioeventfd=on'/>");
    expect(xml).toContain('bar0:88000-88fff:w:block');
    expect(xml).toContain('ioctl:ioeventfd:block');
  });

  it('goes over to the property when its QEMU has got it', () => {
    const preloaded = decideAbout(domain(hostdev(NVME)), { policy, host: PRELOAD_HOST }).xml;
    const { xml } = decideAbout(preloaded, { policy, host: FILTER_HOST });

    expect(xml.slice(xml.indexOf('<devices>'))).not.toContain('LD_PRELOAD');
    expect(xml).toContain('vfio-pci.x-config-filter=block');
    expect(undoEdits(xml)).toBe(preloaded);
  });
});

describe('a host with several emulators', () => {
  const host = {
    ...STOCK_HOST,
    qemuConfigFilter: {
      ...PRELOAD_HOST.qemuConfigFilter,
      emulator: '/usr/bin/qemu-system-x86_64',
      others: {
        '/opt/patched/qemu': FILTER_HOST.qemuConfigFilter,
        '/opt/static/qemu': STOCK_HOST.qemuConfigFilter,
      },
    },
  };
  const filterOf = (emulator: string) =>
    decideAbout(domain(`${emulator}${hostdev(NVME)}`), { policy, host }).xml;

  it('each domain gets what its own emulator takes', () => {
    expect(filterOf('')).toContain('LD_PRELOAD');
    expect(filterOf('<emulator>/usr/bin/qemu-system-x86_64</emulator>')).toContain('LD_PRELOAD');
    expect(filterOf('<emulator>/opt/patched/qemu</emulator>')).toContain('vfio-pci.x-config-filter=block');
    expect(filterOf('<emulator>/opt/static/qemu</emulator>')).not.toContain('commandline');
  });
});

describe('where the filter is not offered', () => {
  it('an emulator that was not probed', () => {
    const host = {
      ...FILTER_HOST,
      qemuConfigFilter: { ...FILTER_HOST.qemuConfigFilter, emulator: '/usr/bin/qemu-system-x86_64' },
    };
    const { decision, xml } = decideAbout(domain(`<emulator>/opt/qemu</emulator>${hostdev(NVME)}`), {
      policy,
      host,
    });

    expect(xml).not.toContain('commandline');
    expect(decision.devices[0]!.plan.rejected).toContainEqual({
      mechanism: 'qemu-config-filter',
      reason: expect.stringContaining('/opt/qemu was not probed') as string,
    });
  });

  it('registers of a device whose config space was not read', () => {
    const all = policyOf(
      '{ name: f, mode: enforce, require: [power-management], mitigations: [qemu-config-filter] }',
    );
    const { decision, xml } = decideAbout(domain(hostdev('0000:0b:00.0')), {
      policy: all,
      host: FILTER_HOST,
    });

    expect(xml).not.toContain('commandline');
    expect(decision.devices[0]!.plan.rejected).toContainEqual({
      mechanism: 'qemu-config-filter',
      reason: expect.stringContaining('0000:0b:00.0 was not read') as string,
    });
  });

  it('a stock host', () => {
    expect(decideAbout(domain(hostdev(NVME)), { policy, host: STOCK_HOST }).decision.edits).toEqual([]);
  });
});

describe('a device that is plugged into a domain with a filter', () => {
  const attach = { xml: hostdev(NVME) };
  const started = decideAbout(domain(hostdev(TG3)), { policy, host: PRELOAD_HOST }).xml;
  const withNvme = started.replace('</devices>', `${hostdev(NVME)}</devices>`);

  it('has what the filter has for every other device, where that is enough', () => {
    const { decision, xml } = decideAbout(started, { policy, host: PRELOAD_HOST, attach });
    expect(decision.devices[0]!.plan.mechanisms).toMatchObject([{ name: 'qemu-config-filter' }]);
    expect(decision).toMatchObject({ verdict: 'restricted', problems: [] });
    expect(xml).toBe(attach.xml);

    // Afterwards the running domain lacks nothing, and its next start has a rule of the device's own.
    const running = decideAbout(withNvme, { policy, host: PRELOAD_HOST, guestHardware: 'fixed' });
    expect(running.decision).toMatchObject({ verdict: 'restricted', edits: [] });
  });

  it('is told of where registers of its own are to be closed, or a driver needs what it is kept from', () => {
    const registers = policyOf(
      '{ name: filter, mode: enforce, require: [unassigned-extended, power-management], mitigations: [qemu-config-filter] }',
    );
    const reason = `the filter that the domain was defined with has no such rules for ${NVME}`;
    const more = decideAbout(started, { policy: registers, host: PRELOAD_HOST, attach });
    expect(more.decision.devices[0]!.plan.rejected).toContainEqual({
      mechanism: 'qemu-config-filter',
      reason,
    });

    const off = policyOf('{ name: off, mode: off }');
    const { decision } = decideAbout(started, { policy: off, host: PRELOAD_HOST, attach });
    expect(decision.problems).toEqual([
      {
        place: NVME,
        problem:
          'the config filter that the domain runs with has unassigned:w:block for every device that is plugged in',
        remedy: 'Where the device does not work so, define it in the domain, and start that anew.',
      },
    ]);
  });

  it('comes back with the rules that it was started with', () => {
    const both = decideAbout(domain(hostdev(TG3) + hostdev(NVME)), { policy, host: FILTER_HOST }).xml;
    const detached = both.replace(hostdev(NVME), '');
    const again = decideAbout(detached, { policy, host: FILTER_HOST, attach });
    expect(again.decision.devices[0]!.plan.mechanisms).toHaveLength(1);
    expect(again.xml).toBe(attach.xml);
    // While it is away the domain has more than it needs, and lacks nothing.
    const without = decideAbout(detached, { policy, host: FILTER_HOST, guestHardware: 'fixed' });
    expect(without.decision).toMatchObject({ verdict: 'restricted', edits: [] });
  });

  it('has nothing where the domain was started without a filter', () => {
    const bare = decideAbout(domain(hostdev(TG3)), { policy, host: FILTER_HOST, attach });
    expect(bare.decision.devices[0]!.plan.rejected).toContainEqual({
      mechanism: 'qemu-config-filter',
      reason: `the filter that the domain was defined with has no such rules for ${NVME}`,
    });
  });
});

describe('two devices in one VM', () => {
  it('one that policy leaves alone has an entry that lets everything pass', () => {
    const one = policyOf(
      "{ name: free, match: { devices: [{ vendor: '14e4' }] }, mode: off }",
      '{ name: filter, mode: enforce, require: [unassigned-extended, unassigned-legacy], mitigations: [qemu-config-filter] }',
    );
    const { xml } = decideAbout(domain(hostdev(TG3) + hostdev(NVME)), { policy: one, host: PRELOAD_HOST });
    expect(rulesInForce(readXml(xml))).toBe(`${TG3}=unassigned:rw:allow ${TEXT}`);
  });

  it('one that libvirt chooses at start has no entry, and so there is none for every other device', () => {
    const pool = "<interface type='network'><source network='vfs'/></interface>";
    const { xml } = decideAbout(domain(hostdev(NVME) + pool), {
      policy,
      host: PRELOAD_HOST,
      hostdevNetworks: ['vfs'],
    });
    expect(rulesInForce(readXml(xml))).toBe(`${NVME}=${RULES}`);
  });
});

describe('the text for a VM', () => {
  it('has an entry a function, and one for all others', () => {
    const functions = [
      { bdf: '0000:02:00.0', rules: 'b' },
      { bdf: '0000:01:00.0', rules: 'a' },
    ];
    const text = filterText(functions)!;
    expect(text).toBe('0000:01:00.0=a 0000:02:00.0=b');
    expect(rulesOf(text, '0000:03:00.0')).toBeUndefined();
    expect(filterText(functions, 'c')).toBe(`${text} *=c`);
    expect(rulesOf(`${text} *=c`, '0000:03:00.0')).toBe('c');
  });

  it('is named by the same digest as in C', () => {
    expect(filterDigest('')).toBe('cbf29ce484222325');
    expect(filterDigest('foobar')).toBe('85944171f73967e8');
  });
});
