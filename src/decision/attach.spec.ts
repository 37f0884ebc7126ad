import { describe, expect, it } from 'vitest';
import { undoEdits } from '../domain-xml/undo.js';
import { decideAbout, domain, hostdev, policyOf } from '../../test/fixtures/scenario.js';

const NVME = '0000:81:00.0';
const policy = policyOf(
  '{ name: closed, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus, i440fx], topologyChange: before-first-run, uncovered: warn }',
);
const strict = policyOf(
  '{ name: closed, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: before-first-run, uncovered: deny }',
);

/** A running domain with what libvirt has written out, so that its addresses are certain. */
const ports = (bridge: string) =>
  domain(
    "<controller type='pci' index='0' model='pcie-root'/>" +
      "<controller type='pci' index='1' model='pcie-root-port'><address type='pci' bus='0x00' slot='0x01' function='0x0' multifunction='on'/></controller>" +
      "<controller type='pci' index='2' model='pcie-root-port'><address type='pci' bus='0x00' slot='0x01' function='0x1'/></controller>" +
      bridge +
      "<controller type='usb' model='none'/><memballoon model='none'/>",
  );
const withBridge = ports(
  "<controller type='pci' index='3' model='pcie-to-pci-bridge'><address type='pci' bus='0x01' slot='0x00'/></controller>",
);
const bare = hostdev(NVME);

describe('a device that is attached to a running domain', () => {
  it('is plugged into the bridge that the domain has, though the domain has run', () => {
    const { decision, xml } = decideAbout(withBridge, {
      policy,
      domainState: 'has-run',
      attach: { xml: bare },
    });
    expect(decision.verdict).toBe('restricted');
    expect(xml).toMatch(
      /^<hostdev .*<address type='pci' domain='0x0000' bus='0x03' slot='0x01' function='0x0'\/><\/hostdev>$/,
    );
  });

  it('takes the next slot where the first is taken, and is the only device decided about', () => {
    const first = decideAbout(withBridge, { policy, attach: { xml: bare } }).xml;
    const running = withBridge.replace('</devices>', `${first}</devices>`);
    const { decision, xml } = decideAbout(running, { policy, attach: { xml: hostdev('0000:82:00.0') } });
    expect(decision.devices.map(({ source }) => source)).toEqual(['0000:82:00.0']);
    expect(xml).toContain("bus='0x03' slot='0x02'");
  });

  it('keeps every byte around the address that it gets', () => {
    const sent = `<?xml version="1.0"?>\n<!-- mine -->\n${bare.replace('</hostdev>', '\n</hostdev>\n')}`;
    const { xml } = decideAbout(withBridge, { policy, attach: { xml: sent } });
    expect(xml.replace(/\s*<address type='pci' [^>]*\/>(?=\s*<\/hostdev>)/, '')).toBe(
      sent.replace('\n</hostdev>', '\n</hostdev>'),
    );
  });

  it('is left alone, with the reason, where the domain has no bridge; policy may refuse it', () => {
    const open = decideAbout(ports(''), { policy, attach: { xml: bare } });
    expect(open.xml).toBe(bare);
    expect(open.decision.devices[0]!.plan.rejected).toContainEqual({
      mechanism: 'conventional-bus',
      reason: 'the domain has no conventional bridge with a free slot to plug the device into',
    });
    expect(open.decision.devices[0]!.plan.rejected).toContainEqual({
      mechanism: 'i440fx',
      reason: 'a device that is plugged in cannot change the machine',
    });
    expect(decideAbout(ports(''), { policy: strict, attach: { xml: bare } }).decision.verdict).toBe('denied');
  });

  it('is not decided about where it is no assigned device', () => {
    const disk = "<disk type='file' device='disk'><source file='/x'/><target dev='vdb' bus='virtio'/></disk>";
    const { decision, xml } = decideAbout(withBridge, { policy: strict, attach: { xml: disk } });
    expect([decision.verdict, decision.devices, xml]).toEqual(['unrestricted', [], disk]);
  });

  it('names the place in its own text where it cannot be read', () => {
    expect(() => decideAbout(withBridge, { policy, attach: { xml: '<hostdev\n <' } })).toThrow(/^line 2/);
  });
});

describe('hardware that the guest has seen', () => {
  const xml = domain(bare);

  it('stays as it was at restore and migration', () => {
    const { decision, xml: result } = decideAbout(xml, { policy, guestHardware: 'fixed' });
    expect(result).toBe(xml);
    expect(decision.devices[0]!.plan.rejected.map(({ reason }) => reason).join()).toContain(
      'comes with its memory',
    );
  });

  it('is given again to a domain that ran with it, where a template forgets it', () => {
    const first = decideAbout(xml, { policy, domainState: 'new' });
    const again = decideAbout(xml, { policy, domainState: 'has-run', ranRestricted: [NVME] });
    expect(again.decision.edits).toEqual(first.decision.edits);
    expect(undoEdits(again.xml)).toBe(xml);
    expect(decideAbout(xml, { policy, domainState: 'has-run' }).xml).toBe(xml);
  });
});
