import { describe, expect, it } from 'vitest';
import { parseBdf } from '../../pci/bdf.js';
import { assignPciAddresses } from '../addressing/address-plan.js';
import { readDomain } from '../domain-document.js';
import { placeBehindBridges, type Placement } from './bridge-placement.js';

/** A host whose functions are all PCI Express, with a QEMU that has everything. */
const HOST = { isExpress: () => true, forwardsHostdev: () => false, hasDevice: () => true };

function hostdev(source: string, guest = ''): string {
  const [, bus, slot, fn] = /:(..):(..)\.(.)$/.exec(parseBdf(source)!)!;
  return `<hostdev type='pci'><source><address bus='0x${bus}' slot='0x${slot}' function='0x${fn}'/></source>${guest}</hostdev>`;
}

const NIC = "<interface type='user'><model type='virtio'/></interface>";
const DISK = "<disk type='file'><source file='/x'/><target dev='vda' bus='virtio'/></disk>";

function place(devices: string, host: Partial<typeof HOST> = {}): Placement {
  const document = readDomain(
    `<domain type='qemu'><name>vm</name><os><type arch='x86_64' machine='q35'>hvm</type></os><devices>${devices}</devices></domain>`,
  );
  const known = { ...HOST, ...host };
  return placeBehindBridges(
    document,
    document.assignedDevices,
    assignPciAddresses(document.root, known),
    known,
  );
}

function summaries(placement: Placement): string[] {
  if (!placement.ok) throw new Error(placement.reason);
  return placement.edits.map(({ target, summary }) => `${target}: ${summary}`);
}

describe('placing devices behind bridges', () => {
  it('puts the bridge exactly where the device would have been, so that nothing else moves', () => {
    const placed = place(NIC + DISK + hostdev('65:00.0'));
    // Libvirt's order: NIC at 1, USB at 2, disk at 3 (after SATA on the root bus), hostdev at 4, balloon at 5, a spare at 6.
    expect(summaries(placed)).toEqual([
      expect.stringMatching(/^controller pci (\d+): pcie-to-pci-bridge \1 is added on bus 4, slot 0$/),
      expect.stringMatching(
        /^hostdev 0000:65:00.0: plugged into pcie-to-pci-bridge \d+, slot 1, function 0$/,
      ),
      // Libvirt would add the port, too, but after the bridge, which QEMU could not start with.
      'controller pci 4: pcie-root-port 4 is added on bus 0, slot 1',
    ]);
    expect(placed).toMatchObject({ moves: [] });
  });

  it('shares one bridge where addresses are given, so that no place is left to others', () => {
    const at = (bus: number) => `<address type='pci' bus='0x0${bus}' slot='0x00'/>`;
    const ports = [1, 2, 3, 4]
      .map((index) => `<controller type='pci' index='${index}' model='pcie-root-port'/>`)
      .join('');
    const fixed =
      ports +
      hostdev('65:00.0', at(1)) +
      hostdev('81:00.0', at(2)) +
      "<memballoon model='none'/><controller type='usb' model='none'/>";
    const placed = summaries(place(fixed));
    expect(placed.filter((summary) => summary.includes('is added'))).toHaveLength(1);
    expect(placed.filter((summary) => summary.includes('plugged into'))).toHaveLength(2);
  });

  it('keeps functions that share a guest slot in one slot', () => {
    const both = (fn: number, multi = '') =>
      `<address type='pci' bus='0x01' slot='0x00' function='0x${fn}'${multi}/>`;
    const port = "<controller type='pci' index='1' model='pcie-root-port'/>";
    const placed = summaries(
      place(port + hostdev('65:00.0', both(0, " multifunction='on'")) + hostdev('65:00.1', both(1))),
    );
    expect(placed.slice(1)).toEqual([
      expect.stringMatching(/65:00\.0: .* slot 1, function 0$/),
      expect.stringMatching(/65:00\.1: .* slot 1, function 1$/),
    ]);
  });

  it('uses a bridge that is there already', () => {
    const bridge =
      "<controller type='pci' index='1' model='pcie-root-port'/><controller type='pci' index='2' model='pcie-root-port'/>" +
      "<controller type='pci' index='3' model='pcie-to-pci-bridge'><address type='pci' bus='0x01' slot='0x00'/></controller>";
    const guest = "<address type='pci' bus='0x02' slot='0x00'/>";
    const rest = "<memballoon model='none'/><controller type='usb' model='none'/>";
    expect(summaries(place(bridge + hostdev('65:00.0', guest) + rest))).toEqual([
      'hostdev 0000:65:00.0: plugged into pcie-to-pci-bridge 3, slot 1, function 0',
    ]);
  });

  it('takes a dmi-to-pci-bridge on the root bus, where libvirt accepts no other', () => {
    const guest = "<address type='pci' bus='0x00' slot='0x09'/>";
    expect(summaries(place(hostdev('65:00.0', guest)))[0]).toMatch(
      /dmi-to-pci-bridge \d+ is added on bus 0, slot 9$/,
    );
  });

  it('does not overfill a bridge: 40 devices take two', () => {
    const many = Array.from({ length: 40 }, (_, index) => hostdev(`${(index + 0x10).toString(16)}:00.0`));
    const placed = place(many.join('') + "<memballoon model='none'/><controller type='usb' model='none'/>");
    const used = summaries(placed)
      .map((summary) => /plugged into (\S+ \d+), (slot \d+)/.exec(summary))
      .flatMap((match) => (match ? [`${match[1]} ${match[2]}`] : []));
    expect(new Set(used).size).toBe(40);
    expect(used.every((at) => !/slot (0|3[2-9])$/.test(at))).toBe(true);
  });

  it('says so instead of guessing where addresses cannot be predicted', () => {
    const pool = "<interface type='network'><source network='x'/></interface>";
    const unsure = { forwardsHostdev: () => undefined as unknown as boolean };
    expect(place(pool.replace('/>', '/>') + hostdev('65:00.0'), unsure)).toMatchObject({ ok: false });
  });
});
