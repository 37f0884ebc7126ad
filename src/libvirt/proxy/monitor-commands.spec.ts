import { describe, expect, it } from 'vitest';
import { whyRefused } from './monitor-commands.js';

describe('a raw monitor command', () => {
  it.each([
    'device_add vfio-pci,host=0000:81:00.0',
    ' device_add  "driver=vfio-pci,host=81:00.0"',
    '{"execute":"device_add","arguments":{"driver":"vfio-pci"}}',
    '{"arguments":{"driver":"vfio-pci-nohotplug"},"execute":"device_add"}',
    '{"exec-oob":"device_add","arguments":{"driver":"VFIO-PCI"}}',
    String.raw`{"execute":"device\u005fadd","arguments":{"driver":"vf\u0069o-pci"}}`,
    '{"execute":"human-monitor-command","arguments":{"command-line":"device_add vfio-pci"}}',
    String.raw`{"execute":"human-monitor-command","arguments":{"command-line":"device_add \u0076fio-pci"}}`,
    `{'execute':'device_add','arguments':{'driver':'vfio-pci'}}`,
    String.raw`{'execute':'device_add','arguments':{'driver':'vf\u0069o-pci'}}`,
    String.raw`/**/{"execute":"device_add","arguments":{"driver":"vf\u0069o-pci"}}`,
    `${'['.repeat(100)}${']'.repeat(100)}`,
  ])('is refused where it adds a vfio device, or may: %s', (command) => {
    expect(whyRefused(command)).toEqual(expect.any(String));
  });

  it.each([
    'info qtree',
    'device_add virtio-rng-pci',
    'info mtree vfio',
    '{"execute":"query-status"}',
    '{"execute":"device_add","arguments":{"driver":"virtio-net-pci","id":"net1"}}',
    '{"execute":"qom-list","arguments":{"path":"/machine/vfio"}}',
    '{"execute":"device_del","arguments":{"id":"vfio0"}}',
    '',
  ])('passes where it does not: %s', (command) => {
    expect(whyRefused(command)).toBeUndefined();
  });
});
