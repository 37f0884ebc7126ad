import { describe, expect, it } from 'vitest';
import { hostdev, NODE_INVENTORY, policyOf, risksOf } from '../../../test/fixtures/scenario.js';
import { STOCK_HOST } from '../../../test/fixtures/hosts.js';
import { DecisionRecorder } from '../../store/decision-recorder.js';
import { DecisionService } from '../../decision/decision.service.js';
import { DomainRegistry } from '../domain-registry.js';
import { XML_CALLS, type XmlCall } from './xml-calls.js';
import { XmlJudge } from './xml-judge.js';

const journal = { decision() {}, event() {}, domain() {}, domainGone() {} };
const policy = policyOf(
  '{ name: closed, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: always, uncovered: warn }',
);
const UUID = '00112233-4455-6677-8899-aabbccddeeff';
const CALL: XmlCall = { operation: 'snapshot', guestHardware: 'may-change', arguments: [] };

function judge(
  domainXml: () => Promise<string> = () => Promise.reject(new Error('not asked for')),
): XmlJudge {
  const decisions = new DecisionService({
    policy,
    risks: risksOf(),
    inventory: NODE_INVENTORY,
    host: STOCK_HOST,
    hostMode: 'enforce',
  });
  const registry = new DomainRegistry('node', journal);
  registry.load([]);
  registry.markListed();
  return new XmlJudge({
    recorder: new DecisionRecorder(decisions, journal, 'node'),
    registry,
    hostdevNetworks: () => [],
    domainXml,
  });
}

const inside =
  "<name>vm</name><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>" +
  `${hostdev('0000:81:00.0')}</devices>`;

describe('the domains within a snapshot', () => {
  it('are decided about one by one, also the one that libvirt calls inactiveDomain', () => {
    const before = '<domainsnapshot><name>a</name>';
    const xml = `${before}<domain type='kvm'>${inside}</domain>\n<inactiveDomain type='kvm'>${inside}</inactiveDomain></domainsnapshot>`;
    const judged = judge().snapshot(xml, CALL);

    expect(judged.decisions).toHaveLength(2);
    expect(judged.xml.startsWith(`${before}<domain type='kvm'>`)).toBe(true);
    expect(judged.xml).toMatch(/<\/domain>\n<inactiveDomain type='kvm'>/);
    expect(judged.xml.endsWith('</inactiveDomain></domainsnapshot>')).toBe(true);
    expect(judged.xml.match(/pcie-to-pci-bridge/g)!.length).toBeGreaterThanOrEqual(2);
  });

  it('leave a snapshot without any as it is', () => {
    const xml = '<domainsnapshot>\n  <name>a</name>\n</domainsnapshot>';
    expect(judge().snapshot(xml, CALL)).toEqual({ xml, decisions: [] });
  });
});

it('the disk that a block copy goes to is decided about where it is a host function', async () => {
  const disk =
    "<disk type='nvme'><source type='pci' namespace='1'><address domain='0x0000' bus='0x81' slot='0x00' function='0x0'/></source></disk>";
  const domain = async () => `<domain type='kvm'>${inside}</domain>`;
  const located = { call: XML_CALLS.get(345)!, xml: [], domain: { name: 'vm', uuid: UUID, id: 1 } };
  const judged = await judge(domain).device(disk, located);

  expect(judged.xml).toBe(disk);
  expect(judged.decisions).toMatchObject([{ devices: [{ carrier: 'nvme-disk', source: '0000:81:00.0' }] }]);
});

describe('a device that is no host function', () => {
  it('is attached and detached without libvirt being asked about the domain', async () => {
    const disk = "<disk type='file'><target dev='sda'/></disk>";
    const located = { call: CALL, xml: [] };

    expect(await judge().device(disk, located)).toEqual({ xml: disk, decisions: [] });
    expect(await judge().detached(disk, located)).toEqual({ xml: disk, decisions: [] });
  });
});
