import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { LibvirtClient } from '../../src/libvirt/rpc/libvirt-client.js';
import { PROGRAM } from '../../src/libvirt/rpc/frame.js';
import { writeDomainRef, type DomainRef } from '../../src/libvirt/rpc/types.js';
import { XdrWriter } from '../../src/libvirt/rpc/xdr-writer.js';
import { RawClient } from './raw-client.js';
import { domain, NVME } from './domains.js';
import { ProxiedHost } from './proxied-host.js';

/** `QEMU_PROC_DOMAIN_MONITOR_COMMAND_WITH_FILES` */
const MONITOR_COMMAND_WITH_FILES = 7;
const missing = fixtureHostMissing();

describe.skipIf(missing !== undefined)("raw commands for QEMU's monitor", () => {
  let proxied: ProxiedHost;
  const monitor = (...command: string[]) => proxied.virsh('qemu-monitor-command', 'vm', ...command);

  beforeAll(async () => {
    proxied = await ProxiedHost.start();
    await proxied.virsh('create', proxied.file('domain.xml', domain('vm', '')));
  }, 60_000);
  afterAll(async () => {
    await proxied?.clear();
    await proxied?.stop();
  });

  it('pass where they add no device of the host', async () => {
    expect(await monitor('--hmp', 'info version')).toMatch(/^\d+\.\d+/);
    expect(await monitor('{"execute":"query-status"}')).toContain('"running":true');
    expect(
      await monitor('{"execute":"device_add","arguments":{"driver":"virtio-rng-pci","id":"none"}}'),
    ).toMatch(/return|error/);
  });

  it.each([
    ['the human monitor', ['--hmp', `device_add vfio-pci,host=${NVME}`]],
    ['the human monitor, spaced', ['--hmp', `  device_add   "driver=vfio-pci,host=${NVME}"`]],
    ['JSON', [`{"execute":"device_add","arguments":{"driver":"vfio-pci","host":"${NVME}"}}`]],
    ['JSON, out of band', [`{"exec-oob":"device_add","arguments":{"driver":"vfio-pci","host":"${NVME}"}}`]],
    ['JSON with escapes', [String.raw`{"execute":"device\u005fadd","arguments":{"driver":"vf\u0069o-pci"}}`]],
    [
      'the human monitor within JSON',
      [`{"execute":"human-monitor-command","arguments":{"command-line":"device_add vfio-pci,host=${NVME}"}}`],
    ],
    [
      'the human monitor within JSON, with escapes',
      [
        String.raw`{"execute":"human-monitor-command","arguments":{"command-line":"device\u005fadd vf\u0069o-pci"}}`,
      ],
    ],
    ['a model made of it', ['--hmp', `device_add vfio-pci-nohotplug,host=${NVME}`]],
  ])('are refused where they would: %s', async (_, command) => {
    await expect(monitor(...command)).rejects.toThrow(/vfio-warden refuses this monitor command/);
  });

  // virsh takes what is no strict JSON for the name of a command; other clients send it as it is.
  it.each([
    ['single quotes', `{'execute':'device_add','arguments':{'driver':'vfio-pci'}}`],
    [
      'single quotes and escapes',
      String.raw`{'execute':'device\u005fadd','arguments':{'driver':'vf\u0069o-pci'}}`,
    ],
    ['a comment', '/**/{"execute":"device_add","arguments":{"driver":"vfio-pci"}}'],
    [
      'a comment and escapes',
      String.raw`/**/{"execute":"device_add","arguments":{"driver":"vf\u0069o-pci"}}`,
    ],
  ])('are refused where only a lenient parser would read them: %s', async (_, command) => {
    await expect(proxied.python('monitor.py', 'vm', command)).rejects.toThrow(
      /vfio-warden refuses this monitor command/,
    );
  });

  it('are looked at, too, where they may bring files (virt-qemu-qmp-proxy, which brings none)', async () => {
    const client = await RawClient.open(proxied.stand.socket);
    const vm = await domainRef();
    const withFiles = (command: string) => {
      const writer = new XdrWriter();
      writeDomainRef(writer, vm);
      writer.string(command);
      writer.u32(0);
      return client.call(MONITOR_COMMAND_WITH_FILES, writer.finish(), { program: PROGRAM.qemu });
    };

    expect((await withFiles('{"execute":"query-status"}')).error).toBeUndefined();
    expect(
      (await withFiles('{"execute":"device_add","arguments":{"driver":"vfio-pci"}}')).error?.message,
    ).toContain('vfio-warden refuses this monitor command');
    client.close();
  });

  async function domainRef(): Promise<DomainRef> {
    const client = await LibvirtClient.connect({ path: proxied.stand.socket });
    const found = await client.domainByName('vm');
    await client.close();
    return found;
  }
});
