import type { LabDevice } from '../devices/device.js';

export interface LabDomain {
  name: string;
  devices: readonly { bdf: string; device: LabDevice }[];
  /** More arguments of QEMU. */
  qemuArguments?: readonly string[];
  /** Its path; the one of the host's Debian where not given. */
  emulator?: string | undefined;
  /** MiB. */
  memory?: number;
  /** More elements of `<os>`, and of `<devices>`. */
  os?: string;
  elements?: string;
}

/** A domain as a cloud's control plane would write it: PCI Express, devices without addresses, nothing restricted. */
export function domainXml({
  name,
  devices,
  qemuArguments = [],
  emulator = '/usr/bin/qemu-system-x86_64',
  memory = 128,
  os = '',
  elements = '',
}: LabDomain): string {
  const hostdevs = devices.map(({ bdf, device }) => hostdevXml(bdf, aliasOf(device)));
  const overrides = devices.flatMap(({ device }) =>
    device.vfioProperties ? [overrideXml(aliasOf(device), device.vfioProperties)] : [],
  );
  const escaped = qemuArguments.map((argument) =>
    argument.replaceAll('&', '&amp;').replaceAll("'", '&apos;'),
  );
  return `<domain type='qemu' xmlns:qemu='http://libvirt.org/schemas/domain/qemu/1.0'>
  <name>${name}</name>
  <memory unit='MiB'>${memory}</memory>
  <features><acpi/></features>
  <os><type arch='x86_64' machine='q35'>hvm</type>${os}</os>
  <devices>
    <emulator>${emulator}</emulator>
    <controller type='usb' model='none'/>
    <memballoon model='none'/>
    ${[...hostdevs, elements].join('\n    ')}
  </devices>
  <qemu:commandline>
    ${escaped.map((argument) => `<qemu:arg value='${argument}'/>`).join('\n    ')}
  </qemu:commandline>
  ${overrides.length > 0 ? `<qemu:override>${overrides.join('')}</qemu:override>` : ''}
</domain>
`;
}

/** An assigned device, as a client attaches it, too. */
export function hostdevXml(bdf: string, alias: string): string {
  const [domain, bus, slot, fn] = bdf.split(/[:.]/);
  return (
    `<hostdev mode='subsystem' type='pci' managed='yes'>` +
    `<source><address domain='0x${domain}' bus='0x${bus}' slot='0x${slot}' function='0x${fn}'/></source>` +
    `<alias name='${alias}'/></hostdev>`
  );
}

/** An alias of the user's own has to begin with `ua-`, or libvirt drops it. */
export function aliasOf({ name }: LabDevice): string {
  return `ua-${name}`;
}

function overrideXml(alias: string, properties: NonNullable<LabDevice['vfioProperties']>): string {
  const lines = Object.entries(properties).map(
    ([name, { type, value }]) => `<qemu:property name='${name}' type='${type}' value='${value}'/>`,
  );
  return `<qemu:device alias='${alias}'><qemu:frontend>${lines.join('')}</qemu:frontend></qemu:device>`;
}
