import { describe, expect, it } from 'vitest';
import { readDomain } from './domain-document.js';

function assigned(devices: string, rest = '') {
  const text = `<domain type='kvm' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'><name>vm</name><devices>${devices}</devices>${rest}</domain>`;
  return readDomain(text).assignedDevices.map(({ carrier, source, reference, plugged }) => ({
    carrier,
    ...(source && { source }),
    ...(reference && { reference }),
    ...(!plugged && { plugged }),
  }));
}

const SOURCE = "<source><address domain='0x0000' bus='0x65' slot='0x00' function='0x1'/></source>";

describe('finding assigned devices', () => {
  it('in <hostdev>, with or without a mode, as KubeVirt writes it', () => {
    expect(assigned(`<hostdev mode='subsystem' type='pci'>${SOURCE}</hostdev>`)).toEqual([
      { carrier: 'hostdev', source: '0000:65:00.1' },
    ]);
    expect(assigned(`<hostdev type='pci' managed='no'>${SOURCE}</hostdev>`)).toHaveLength(1);
  });

  it('not in USB or SCSI host devices', () => {
    expect(assigned("<hostdev mode='subsystem' type='usb'><source/></hostdev>")).toEqual([]);
  });

  it('in <interface type=hostdev>', () => {
    const source = SOURCE.replace('<address', "<address type='pci'");
    expect(assigned(`<interface type='hostdev'>${source}</interface>`)).toEqual([
      { carrier: 'interface', source: '0000:65:00.1' },
    ]);
  });

  it('behind a network, whose function is only known at start', () => {
    expect(assigned("<interface type='network'><source network='vf-pool'/></interface>")).toEqual([
      { carrier: 'network', reference: 'vf-pool' },
    ]);
  });

  it('in a mediated device and in an NVMe disk, also below an overlay', () => {
    const nvme = `<disk type='nvme' device='disk'>${SOURCE.replace('<source', "<source namespace='1'")}</disk>`;
    const overlay = `<disk type='file'><backingStore type='nvme'>${SOURCE}</backingStore></disk>`;
    expect(assigned(nvme)).toEqual([{ carrier: 'nvme-disk', source: '0000:65:00.1', plugged: false }]);
    expect(assigned(overlay)).toEqual([{ carrier: 'nvme-disk', source: '0000:65:00.1', plugged: false }]);
    expect(
      assigned(
        "<hostdev mode='subsystem' type='mdev' model='vfio-pci'><source><address uuid='8a1c'/></source></hostdev>",
      ),
    ).toEqual([{ carrier: 'mdev', reference: '8a1c' }]);
  });

  it.each([
    ['vfio-pci,host=65:00.1', '0000:65:00.1'],
    ['vfio-pci,id=x,host=0000:65:00.1,bus=pcie.0', '0000:65:00.1'],
    ['{"driver":"vfio-pci","host":"0000:65:00.1"}', '0000:65:00.1'],
    ['vfio-pci-nohotplug,sysfsdev=/sys/bus/pci/devices/0000:65:00.1', '0000:65:00.1'],
    ['vfio-pci,fd=12', undefined],
  ])('in raw QEMU arguments: -device %s', (argument, source) => {
    const commandline = `<qemu:commandline><qemu:arg value='-device'/><qemu:arg value='${argument}'/></qemu:commandline>`;
    const [found] = assigned('', commandline);
    expect(found).toMatchObject({ carrier: 'qemu-argument' });
    expect(found?.source).toBe(source);
  });

  it('in arguments that load configuration from elsewhere, but not in properties of devices', () => {
    const args = (...values: string[]) =>
      `<qemu:commandline>${values.map((value) => `<qemu:arg value='${value}'/>`).join('')}</qemu:commandline>`;
    expect(assigned('', args('-readconfig', '/tmp/x.cfg'))).toHaveLength(1);
    expect(assigned('', args('-global', 'vfio-pci.x-no-kvm-ioeventfd=on'))).toEqual([]);
  });

  it('in a property that points a device at another function', () => {
    const override = `<qemu:override><qemu:device alias='hostdev0'><qemu:frontend>
      <qemu:property name='host' type='string' value='0000:65:00.1'/></qemu:frontend></qemu:device></qemu:override>`;
    expect(assigned('', override)).toMatchObject([{ carrier: 'qemu-argument', source: '0000:65:00.1' }]);
  });

  it('reads numbers as libvirt does: octal with a leading zero, decimal without', () => {
    const source = "<source><address bus='010' slot='10'/></source>";
    expect(assigned(`<hostdev type='pci'>${source}</hostdev>`)).toEqual([
      { carrier: 'hostdev', source: '0000:08:0a.0' },
    ]);
  });

  it('refuses an address that is none, and names the place', () => {
    expect(() => assigned("<hostdev type='pci'><source><address bus='0x100'/></source></hostdev>")).toThrow(
      /line 1, column \d+: bus='0x100' is not a PCI bus number/,
    );
  });
});
