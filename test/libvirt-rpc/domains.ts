/** A domain of plain emulation that starts within a second and does nothing. */
export function tinyDomain(
  name: string,
  { uuid, devices = '' }: { uuid?: string; devices?: string } = {},
): string {
  return `<domain type='qemu'>
  <name>${name}</name>
  ${uuid ? `<uuid>${uuid}</uuid>` : ''}
  <memory unit='MiB'>16</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices>
    <emulator>/usr/bin/qemu-system-x86_64</emulator>
    ${devices}
    <memballoon model='none'/>
  </devices>
</domain>`;
}
