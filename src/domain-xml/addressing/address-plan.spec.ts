import { array, assert, constantFrom, property } from 'fast-check';
import { describe, expect, it } from 'vitest';
import { formatBdf } from '../../pci/bdf.js';
import { readXml } from '../xml-reader.js';
import { assignPciAddresses, type CertainPlan } from './address-plan.js';
import type { HostKnowledge } from './connect-flags.js';
import { isConventionalBus } from './pci-topology.js';

/** A host with an upstream QEMU and without the functions that the examples name. */
const HOST: HostKnowledge = {
  isExpress: () => undefined,
  forwardsHostdev: () => false,
  hasDevice: () => true,
};

const domain = (devices: string, machine = 'q35') =>
  `<domain type='kvm'><os><type arch='x86_64' machine='${machine}'>hvm</type></os><devices>${devices}</devices></domain>`;

const NIC = `<interface type='bridge'><source bridge='br0'/><model type='virtio'/></interface>`;
const DISK = `<disk type='file' device='disk'><target dev='vda' bus='virtio'/></disk>`;
const hostdev = (address = '') =>
  `<hostdev mode='subsystem' type='pci'><source><address bus='0x65' slot='0x00'/></source>${address}</hostdev>`;

function plan(xml: string, host = HOST): CertainPlan {
  const result = assignPciAddresses(readXml(xml), host);
  if (!result.certain) throw new Error(result.reasons.join('; '));
  return result;
}

function addresses(xml: string, host = HOST): Record<string, string> {
  const entries = plan(xml, host).devices.flatMap(({ key, address }): [string, string][] =>
    address ? [[key, formatBdf(address).slice('0000:'.length)]] : [],
  );
  return Object.fromEntries(entries);
}

function models(xml: string, host = HOST): string[] {
  return plan(xml, host).controllers.map(({ model }) => model);
}

function reasons(xml: string, host: HostKnowledge = HOST): string[] {
  const result = assignPciAddresses(readXml(xml), host);
  return result.certain ? [] : result.reasons;
}

describe('assignPciAddresses on q35', () => {
  it('gives each PCI Express device a root port, network cards first, and keeps one port free', () => {
    const xml = domain(hostdev() + DISK + NIC);
    expect(addresses(xml)).toMatchObject({
      'interface:0': '01:00.0',
      'controller:usb:0:qemu-xhci': '02:00.0',
      'disk:vda': '03:00.0',
      'hostdev:0': '04:00.0',
      'memballoon:0': '05:00.0',
      'controller:pci:1': '00:01.0',
      'controller:pci:2': '00:01.1',
      'controller:sata:0': '00:1f.2',
    });
    expect(models(xml)).toEqual(['pcie-root', ...Array(6).fill('pcie-root-port')]);
  });

  it('moves nothing when a pcie-to-pci-bridge takes exactly the place of the hostdev', () => {
    const before = addresses(domain(NIC + DISK + hostdev()));
    const bridge = `<controller type='pci' index='7' model='pcie-to-pci-bridge'><address type='pci' bus='4' slot='0'/></controller>`;
    const after = domain(NIC + DISK + bridge + hostdev(`<address type='pci' bus='7' slot='1'/>`));

    const { 'hostdev:0': place, ...others } = before;
    expect(place).toBe('04:00.0');
    expect(addresses(after)).toMatchObject({
      ...others,
      'hostdev:0': '07:01.0',
      'controller:pci:7': '04:00.0',
    });
    expect(isConventionalBus(plan(after).controllers, 7)).toBe(true);
  });

  it('moves network cards and disks when a bridge without an address comes first', () => {
    const bridge = `<controller type='pci' index='7' model='pcie-to-pci-bridge'/>`;
    expect(
      addresses(domain(NIC + DISK + bridge + hostdev(`<address type='pci' bus='7' slot='1'/>`))),
    ).toMatchObject({
      'controller:pci:7': '01:00.0',
      'interface:0': '02:00.0',
      'disk:vda': '04:00.0',
    });
  });

  it('adds a bridge for a host function that is conventional PCI, and none for one it cannot find', () => {
    expect(models(domain(hostdev()))).not.toContain('pcie-to-pci-bridge');
    expect(models(domain(hostdev()), { ...HOST, isExpress: () => false })).toContain('pcie-to-pci-bridge');
  });

  it('takes an interface of type hostdev for a hostdev, in front of the others', () => {
    const handed = `<interface type='hostdev'><source><address type='pci' bus='0x66' slot='0x00'/></source></interface>`;
    expect(addresses(domain(hostdev() + handed + NIC))).toMatchObject({
      'interface:1': '01:00.0',
      'interface:0': '03:00.0',
      'hostdev:0': '04:00.0',
    });
  });

  it('does not follow the order of disks in the document, but their names', () => {
    const second = DISK.replace('vda', 'vdb');
    expect(addresses(domain(second + DISK))).toMatchObject({ 'disk:vda': '02:00.0', 'disk:vdb': '03:00.0' });
  });

  it('hands back the elements, so that an edit finds them', () => {
    const root = readXml(domain(hostdev()));
    const result = assignPciAddresses(root, HOST) as CertainPlan;
    expect(result.devices.find(({ key }) => key === 'hostdev:0')?.element?.name).toBe('hostdev');
    expect(result.devices.find(({ key }) => key === 'memballoon:0')).not.toHaveProperty('element');
  });
});

describe('assignPciAddresses on i440fx', () => {
  it('fills the slots of bus 0 behind the chipset and the video device', () => {
    const xml = domain(`<graphics type='vnc'/>` + NIC + hostdev(), 'pc');
    expect(addresses(xml)).toEqual({
      'controller:usb:0:piix3-uhci': '00:01.2',
      'video:0': '00:02.0',
      'interface:0': '00:03.0',
      'hostdev:0': '00:04.0',
      'memballoon:0': '00:05.0',
    });
    expect(models(xml)).toEqual(['pci-root']);
  });

  it('adds a pci-bridge when the slots of bus 0 are used up', () => {
    expect(models(domain(NIC.repeat(40), 'pc'))).toEqual(['pci-root', 'pci-bridge']);
  });
});

describe('assignPciAddresses says that it does not know', () => {
  it.each([
    ['a machine type that the model does not cover', domain('', 'microvm'), 'microvm'],
    ['no machine type', domain('').replace(` machine='q35'`, ''), 'names no machine type'],
    ['another architecture', domain('', 'virt').replace('x86_64', 'aarch64'), 'aarch64'],
    ['a device that came after libvirt 9.0', domain(`<crypto model='virtio'/>`), '<crypto>'],
    ['a model that nobody has heard of', domain(`<sound model='theremin'/>`), 'theremin'],
    [
      'an address that is used twice',
      domain(NIC.replace('</i', `<address type='pci' slot='9'/></i`).repeat(2)),
      'twice',
    ],
    ['a bus number out of range', domain(hostdev(`<address type='pci' bus='256'/>`)), 'not a PCI bus number'],
    [
      'a device that a namespace hides from libvirt',
      domain(`<sound xmlns='urn:x' model='ich9'/>`),
      'namespace',
    ],
    ['an index that would make it allocate', domain(`<controller type='scsi' index='99999999'/>`), 'index'],
    ['more devices than it will look at', domain('<rng model="virtio"/>'.repeat(3000)), '2048'],
  ])('for %s', (_, xml, reason) => {
    expect(reasons(xml).join()).toContain(reason);
  });

  it('where the plan depends on what QEMU has', () => {
    expect(reasons(domain(''), { isExpress: () => undefined }).join()).toContain('qemu-xhci');
    const usb = `<controller type='usb' model='qemu-xhci'/>`;
    expect(reasons(domain(usb), { isExpress: () => undefined })).toEqual([]);
  });

  it('where a network may hand out host functions', () => {
    const xml = domain(`<interface type='network'><source network='vfs'/></interface>`);
    expect(reasons(xml, { ...HOST, forwardsHostdev: () => undefined }).join()).toContain('vfs');
    expect(addresses(xml, { ...HOST, forwardsHostdev: () => true })['interface:0']).toBe('01:00.0');
  });
});

describe('every plan', () => {
  const device = constantFrom(
    NIC,
    hostdev(),
    `<interface type='user'><model type='rtl8139'/></interface>`,
    `<sound model='ich9'/>`,
    `<video><model type='qxl'/></video>`,
    `<controller type='pci' model='pcie-root-port'/>`,
    `<controller type='pci' model='pci-bridge'/>`,
    `<controller type='usb' model='ich9-uhci2'/>`,
    hostdev(`<address type='pci' bus='3' slot='0'/>`),
    hostdev(`<address type='pci' bus='0' slot='12'/>`),
  );

  it('gives no address twice, and only such as lie on a bus of the plan', () => {
    assert(
      property(array(device, { maxLength: 30 }), constantFrom('q35', 'pc'), (devices, machine) => {
        const root = `<controller type='pci' index='0' model='${machine === 'pc' ? 'pci-root' : 'pcie-root'}'/>`;
        const result = assignPciAddresses(readXml(domain(root + devices.join(''), machine)), HOST);
        if (!result.certain) return;
        const given = result.devices.flatMap(({ address }) => (address ? [address] : []));
        expect(new Set(given.map(formatBdf)).size).toBe(given.length);
        const buses = new Set(result.controllers.map(({ index }) => index));
        expect(given.filter(({ bus }) => !buses.has(bus))).toEqual([]);
      }),
    );
  });
});
