/** A function of the fixture node that a domain can have, and where QEMU puts it once it is protected. */
export const NVME = '0000:81:00.0';
/** A virtual function of the fixture node's NIC. */
export const VF = '0000:3b:02.0';
export const ON_THE_BRIDGE = 'pcie-pci-bridge';
export const ON_A_PORT = 'pcie-root-port';

/** A domain of plain emulation that starts in a blink and does nothing. Ports are left for devices that come later. */
export function domain(name: string, devices: string, { uuid = '', rest = '' } = {}): string {
  return `<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>${name}</name>${uuid && `<uuid>${uuid}</uuid>`}<memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    ${devices}
    <serial type='pty'/>
    <memballoon model='none'/>
  </devices>${rest}
</domain>
`;
}

/** A root port and a free conventional bus behind it, for devices that are attached later. */
export const FREE_BRIDGE = `<controller type='pci' index='1' model='pcie-root-port'/>
    <controller type='pci' index='2' model='pcie-to-pci-bridge'/>
    <controller type='pci' index='3' model='pcie-root-port'/>
    <controller type='pci' index='4' model='pcie-root-port'/>`;

export function vfInterface(mac: string, address = ''): string {
  return (
    `<interface type='hostdev' managed='yes'><mac address='${mac}'/><source>` +
    "<address type='pci' domain='0x0000' bus='0x3b' slot='0x02' function='0x0'/>" +
    `</source>${address}</interface>`
  );
}
