import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HookHost, INSTALL } from './hook-host.js';

const DOMAIN = `<domain type='qemu'><name>vm</name><memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os>
  <devices><hostdev mode='subsystem' type='pci' managed='yes'><source><address domain='0' bus='0x81' slot='0' function='0'/></source></hostdev></devices>
</domain>`;
const INSTALLED = '/etc/libvirt/hooks/qemu.d/vfio-warden';

let host: HookHost;

beforeAll(async () => {
  host = await HookHost.withLibvirtd(null);
  await host.write(`${host.directory}/vm.xml`, DOMAIN);
}, 60_000);
afterAll(() => host.stop());
afterEach(() => host.virsh('destroy', 'vm'));

/** Nobody answers the hook here: the domain, which has a device, does not start where the hook is in effect. */
async function starts(): Promise<boolean> {
  const { status, stderr } = await host.virsh('create', `${host.directory}/vm.xml`);
  if (status !== 0) expect(stderr).toContain('vfio-warden');
  return status === 0;
}

/** As `systemctl reload libvirtd` does. */
async function reload(): Promise<void> {
  await host.run('sh', ['-c', 'kill -HUP "$(cat /run/libvirt/libvirtd.pid)"; sleep 1']);
}

describe('on a host without hooks', () => {
  it('is in effect once libvirt is reloaded, without a restart, and says so', async () => {
    expect(await starts()).toBe(true);
    await host.virsh('destroy', 'vm');

    const { status, stdout } = await host.run(INSTALL, []);
    expect(status).toBe(0);
    expect(stdout).toContain('systemctl reload libvirtd');
    expect(await starts()).toBe(true);
    await host.virsh('destroy', 'vm');

    await reload();
    expect(await starts()).toBe(false);
  });

  it('can be installed again, keeps the configuration, and needs no reload then', async () => {
    await host.write('/etc/vfio-warden/hook.conf', 'FAILURE=open\n');
    const { status, stdout } = await host.run(INSTALL, []);
    expect(status).toBe(0);
    expect(stdout).not.toContain('reload');
    expect((await host.run('cat', ['/etc/vfio-warden/hook.conf'])).stdout).toBe('FAILURE=open\n');
    expect(await starts()).toBe(true);
    await host.run('rm', ['/etc/vfio-warden/hook.conf']);
  });

  it('is gone at once when removed, and can be removed again', async () => {
    expect(await starts()).toBe(false);
    expect((await host.run(INSTALL, ['--remove'])).status).toBe(0);
    expect(await starts()).toBe(true);
    expect((await host.run(INSTALL, ['--remove'])).status).toBe(0);
    expect((await host.run('ls', ['-A', '/etc/libvirt/hooks'])).stdout).toBe('');
  });
});

describe("on a host with somebody else's hook", () => {
  it('both have their say, without a reload', async () => {
    const log = `${host.directory}/foreign.log`;
    await host.write('/etc/libvirt/hooks/qemu', `#!/bin/sh\necho "$1 $2 $3" >>${log}\n`);
    await host.run('chmod', ['0755', '/etc/libvirt/hooks/qemu']);
    await reload();

    const { stdout } = await host.run(INSTALL, []);
    expect(stdout).not.toContain('reload');
    expect(await starts()).toBe(false);
    expect((await host.run('cat', [log])).stdout).toContain('vm prepare begin');

    await host.run(INSTALL, ['--remove']);
    expect(await starts()).toBe(true);
    expect((await host.run('ls', ['/etc/libvirt/hooks'])).stdout).toBe('qemu\n');
  });
});

it('refuses words that it does not know', async () => {
  expect((await host.run(INSTALL, ['--purge'])).status).toBe(2);
  expect((await host.run('ls', [INSTALLED])).status).not.toBe(0);
});
