import type { PolicySet } from '../policy/policy-set.js';
import { parseBdf } from '../pci/bdf.js';
import { Inventory } from '../pci/inventory.js';

/** A domain that no host has, with what most domains have, and a rule by which all that can be decided is. */

const FUNCTION = parseBdf('0000:01:00.0')!;

export const SAMPLE_INVENTORY = Inventory.of([
  {
    bdf: FUNCTION,
    vendor: 'ffff',
    device: '0001',
    revision: '00',
    class: '010802',
    kind: 'pf',
    driver: 'vfio-pci',
    iommuGroup: 1,
    resetMethods: ['flr'],
    express: true,
    configSize: 4096,
  },
]);

export const SAMPLE_POLICY: PolicySet = {
  revision: 'sample',
  rules: [
    {
      policy: 'sample',
      file: 'sample',
      rule: {
        name: 'sample',
        mode: 'enforce',
        require: ['unassigned-extended'],
        mitigations: ['conventional-bus'],
        topologyChange: 'always',
        uncovered: 'warn',
      },
    },
  ],
};

const ROOT_PORTS = 7;

/** @param assigned whether it has the sample inventory's function */
export function sampleDomain(assigned: boolean): string {
  const ports = Array.from({ length: ROOT_PORTS }, (_, at) => rootPort(at + 1));
  const hostdev = `    <hostdev mode='subsystem' type='pci' managed='yes'>
      <source>
        <address domain='0x0000' bus='0x01' slot='0x00' function='0x0'/>
      </source>
${onBus(5)}
    </hostdev>
`;
  return `<domain type='kvm'>
  <name>sample</name>
  <uuid>00000000-0000-4000-8000-000000000000</uuid>
  <memory unit='KiB'>1048576</memory>
  <vcpu placement='static'>2</vcpu>
  <os>
    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>
  </os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    <disk type='file' device='disk'>
      <source file='/sample'/>
      <target dev='vda' bus='virtio'/>
${onBus(3)}
    </disk>
    <controller type='usb' index='0' model='qemu-xhci'>
${onBus(2)}
    </controller>
    <controller type='sata' index='0'>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x1f' function='0x2'/>
    </controller>
    <controller type='pci' index='0' model='pcie-root'/>
${ports.join('')}    <controller type='virtio-serial' index='0'>
${onBus(4)}
    </controller>
    <interface type='bridge'>
      <source bridge='sample'/>
      <model type='virtio'/>
${onBus(1)}
    </interface>
    <serial type='pty'/>
    <channel type='unix'>
      <target type='virtio' name='sample'/>
      <address type='virtio-serial' controller='0' bus='0' port='1'/>
    </channel>
    <input type='mouse' bus='ps2'/>
${assigned ? hostdev : ''}    <memballoon model='virtio'>
${onBus(6)}
    </memballoon>
  </devices>
</domain>
`;
}

function rootPort(index: number): string {
  return `    <controller type='pci' index='${index}' model='pcie-root-port'>
      <model name='pcie-root-port'/>
      <target chassis='${index}' port='0x${(0x0f + index).toString(16)}'/>
      <address type='pci' domain='0x0000' bus='0x00' slot='0x02' function='0x${index - 1}'/>
    </controller>
`;
}

function onBus(bus: number): string {
  return `      <address type='pci' domain='0x0000' bus='0x0${bus}' slot='0x00' function='0x0'/>`;
}
