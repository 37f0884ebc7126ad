/**
 * A q35 domain as libvirt 9.0 prints it (`virsh dumpxml --inactive`): every device with its address, a root port for each,
 * two disks, a CD drive, two NICs, and the given number of assigned devices.
 *
 * @param devices 1 to 64
 */
export function assignedDomain(devices: number): string {
  const ports = 6 + devices + 2;
  const lines = [
    "<domain type='qemu'>",
    '  <name>guest</name>',
    '  <uuid>5d0f1c52-3a3f-4b0e-9a55-2f6f0f9b7c11</uuid>',
    "  <memory unit='KiB'>8388608</memory>",
    "  <currentMemory unit='KiB'>8388608</currentMemory>",
    "  <vcpu placement='static'>8</vcpu>",
    '  <os>',
    "    <type arch='x86_64' machine='pc-q35-7.2'>hvm</type>",
    "    <boot dev='hd'/>",
    '  </os>',
    '  <features>',
    '    <acpi/>',
    '    <apic/>',
    '  </features>',
    "  <cpu mode='host-passthrough' check='none' migratable='on'/>",
    "  <clock offset='utc'/>",
    '  <on_poweroff>destroy</on_poweroff>',
    '  <on_reboot>restart</on_reboot>',
    '  <on_crash>destroy</on_crash>',
    '  <devices>',
    '    <emulator>/usr/bin/qemu-system-x86_64</emulator>',
    ...disk('vda', 5),
    ...disk('vdb', 6),
    "    <disk type='file' device='cdrom'>",
    "      <driver name='qemu' type='raw'/>",
    "      <target dev='sda' bus='sata'/>",
    '      <readonly/>',
    "      <address type='drive' controller='0' bus='0' target='0' unit='0'/>",
    '    </disk>',
    "    <controller type='usb' index='0' model='qemu-xhci'>",
    address(3),
    '    </controller>',
    "    <controller type='sata' index='0'>",
    address(0, 0x1f, 2),
    '    </controller>',
    "    <controller type='pci' index='0' model='pcie-root'/>",
    ...Array.from({ length: ports }, (_, at) => rootPort(at + 1)).flat(),
    "    <controller type='virtio-serial' index='0'>",
    address(4),
    '    </controller>',
    ...nic(1),
    ...nic(2),
    "    <serial type='pty'>",
    "      <target type='isa-serial' port='0'>",
    "        <model name='isa-serial'/>",
    '      </target>',
    '    </serial>',
    "    <console type='pty'>",
    "      <target type='serial' port='0'/>",
    '    </console>',
    "    <channel type='unix'>",
    "      <target type='virtio' name='org.qemu.guest_agent.0'/>",
    "      <address type='virtio-serial' controller='0' bus='0' port='1'/>",
    '    </channel>',
    "    <input type='tablet' bus='usb'>",
    "      <address type='usb' bus='0' port='1'/>",
    '    </input>',
    "    <input type='mouse' bus='ps2'/>",
    "    <input type='keyboard' bus='ps2'/>",
    "    <graphics type='vnc' port='-1' autoport='yes'>",
    "      <listen type='address'/>",
    '    </graphics>',
    "    <audio id='1' type='none'/>",
    '    <video>',
    "      <model type='virtio' heads='1' primary='yes'/>",
    address(0, 1),
    '    </video>',
    ...Array.from({ length: devices }, (_, at) => hostdev(at, 7 + at)).flat(),
    "    <memballoon model='virtio'>",
    address(7 + devices),
    '    </memballoon>',
    "    <rng model='virtio'>",
    "      <backend model='random'>/dev/urandom</backend>",
    address(8 + devices),
    '    </rng>',
    '  </devices>',
    '</domain>',
  ];
  return `${lines.join('\n')}\n`;
}

/**
 * The same with the fixture node's NVMe controller (test/fixtures/inventory), which policies/examples puts on a
 * conventional bus.
 *
 * @param name without characters that XML escapes
 * @param number makes the UUID, 0 to 999,999,999,999
 */
export function nodeDomain(name: string, number: number): string {
  const uuid = `5d0f1c52-3a3f-4b0e-9a55-${`${number}`.padStart(12, '0')}`;
  return assignedDomain(1)
    .replace('<name>guest</name>', `<name>${name}</name>`)
    .replace(/<uuid>.*<\/uuid>/, `<uuid>${uuid}</uuid>`)
    .replace("<address domain='0x0000' bus='0x80'", "<address domain='0x0000' bus='0x81'");
}

/** The bus of the host that the assigned device of this number sits on, in slot 0. */
export function hostBus(device: number): number {
  return 0x80 + device;
}

const hex = (value: number) => `0x${value.toString(16).padStart(2, '0')}`;

function address(bus: number, slot = 0, fn = 0, more = ''): string {
  return `      <address type='pci' domain='0x0000' bus='${hex(bus)}' slot='${hex(slot)}' function='0x${fn}'${more}/>`;
}

function disk(name: string, bus: number): string[] {
  return [
    "    <disk type='file' device='disk'>",
    "      <driver name='qemu' type='qcow2' cache='none'/>",
    `      <source file='/var/lib/libvirt/images/${name}.qcow2'/>`,
    `      <target dev='${name}' bus='virtio'/>`,
    address(bus),
    '    </disk>',
  ];
}

/** Eight root ports are the functions of one slot. */
function rootPort(index: number): string[] {
  const fn = (index - 1) % 8;
  const slot = 2 + Math.floor((index - 1) / 8);
  return [
    `    <controller type='pci' index='${index}' model='pcie-root-port'>`,
    "      <model name='pcie-root-port'/>",
    `      <target chassis='${index}' port='0x${(0x0f + index).toString(16)}'/>`,
    address(0, slot, fn, fn === 0 ? " multifunction='on'" : ''),
    '    </controller>',
  ];
}

function nic(number: number): string[] {
  return [
    "    <interface type='bridge'>",
    `      <mac address='52:54:00:00:00:0${number}'/>`,
    `      <source bridge='br${number}'/>`,
    "      <model type='virtio'/>",
    address(number),
    '    </interface>',
  ];
}

function hostdev(device: number, bus: number): string[] {
  return [
    "    <hostdev mode='subsystem' type='pci' managed='yes'>",
    '      <source>',
    `        <address domain='0x0000' bus='${hex(hostBus(device))}' slot='0x00' function='0x0'/>`,
    '      </source>',
    address(bus),
    '    </hostdev>',
  ];
}
