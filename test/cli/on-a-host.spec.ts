import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { FixtureHost, fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { dumpedAddresses } from '../libvirt-oracle/dumped-addresses.js';
import { wardenctl, type Run } from './run-wardenctl.js';

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

const BY_EXAMPLE = ['--policies', 'policies/examples', '--inventory', 'test/fixtures/inventory/node.json'];

/** A guest with the host's function at that bus, and with a secret. */
function guest(name: string, bus: string, uuid: string): string {
  return `<domain type='qemu'><name>${name}</name><uuid>${uuid}</uuid><memory>65536</memory>
    <os><type arch='x86_64' machine='q35'>hvm</type></os>
    <devices>
      <interface type='user'><mac address='52:54:00:00:00:01'/><model type='virtio'/></interface>
      <hostdev mode='subsystem' type='pci' managed='yes'>
        <source><address domain='0x0000' bus='${bus}' slot='0x00' function='0x0'/></source>
      </hostdev>
      <graphics type='vnc' passwd='geheim'/>
    </devices></domain>`;
}

const IDLE = '5d0f1c52-3a3f-4b0e-9a55-2f6f0f9b7c11';
const BUSY = '5d0f1c52-3a3f-4b0e-9a55-2f6f0f9b7c12';

describe.skipIf(missing !== undefined)('wardenctl on a host with a real libvirt', () => {
  let host: FixtureHost;
  let directory: string;
  let service: Server;
  let original: string;

  const dump = (name: string) => host.virsh('dumpxml', '--inactive', '--security-info', name);

  async function define(xml: string): Promise<void> {
    const file = join(directory, 'domain.xml');
    await writeFile(file, xml);
    await host.virsh('define', file);
  }

  /** As the proxy would hand it on, were the domain new. */
  async function protectedXml(xml: string): Promise<string> {
    return (await wardenctl(['evaluate', '-', '--new', '--xml', ...BY_EXAMPLE], { input: xml })).stdout;
  }

  const uninstall = (server: string, ...more: string[]): Promise<Run> =>
    wardenctl(['uninstall', '--edits', '--server', `unix:${join(directory, server)}`, ...more], {
      env: { WARDEN_LIBVIRT_SOCKET: host.socket, WARDEN_STATE_DIRECTORY: directory },
    });

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'wardenctl-host-'));
    host = await FixtureHost.start();
    const idle = guest('idle', '0x81', IDLE);
    await define(idle);
    original = await dump('idle');
    await host.virsh('undefine', 'idle');
    await define(await protectedXml(idle));
    await define(await protectedXml(guest('busy', '0x66', BUSY)));
    await host.virsh('start', 'busy');
    service = serviceThatKnows([{ uuid: IDLE, state: 'new', ranRestricted: [] }]);
    await new Promise<void>((resolve) => service.listen(join(directory, 'api.sock'), resolve));
  }, 120_000);

  afterAll(async () => {
    service?.close();
    await host?.stop();
    await rm(directory, { recursive: true, force: true });
  });

  it('audits running and defined domains through the read-only socket', async () => {
    const { code, stdout } = await wardenctl([
      'audit',
      '--socket',
      `${host.socket}-ro`,
      '--json',
      ...BY_EXAMPLE,
    ]);
    expect(code).toBe(0);
    const closed = [{ by: 'conventional-bus', exposures: expect.arrayContaining(['unassigned-extended']) }];
    expect(JSON.parse(stdout)).toMatchObject({
      summary: { domains: 2, running: 1, withAssignedDevices: 2 },
      domains: [
        { name: 'busy', running: true, now: { devices: [{ closed }] }, next: { devices: [{ closed }] } },
        { name: 'idle', running: false, next: { devices: [{ device: '0000:81:00.0', closed }] } },
      ],
      unseen: [],
    });
  });

  it('changes nothing where it only checks, and tells what needs a decision', async () => {
    const before = await dump('idle');
    const { code, stdout } = await uninstall('api.sock', '--check');
    expect(code).toBe(3);
    expect(stdout).toMatch(/idle:\n +hostdev 0000:81:00\.0 leaves guest address/);
    expect(stdout).toMatch(
      /1 keep their edits.*\n +busy: it runs with its devices where we put them \(--force/,
    );
    expect(await dump('idle')).toBe(before);
  });

  it('takes nothing back that a guest may have seen while the service does not answer', async () => {
    const { code, stdout } = await uninstall('nobody.sock', '--check');
    expect(code).toBe(3);
    expect(stdout).toMatch(/idle: it may have run .* the service does not say/);
    expect(stdout).toMatch(/The service does not answer/);
  });

  it('gives a domain that never ran the hardware it would have had, secrets included', async () => {
    const { code } = await uninstall('api.sock');
    expect(code).toBe(3);
    const restored = await dump('idle');
    // Controllers may be told in another order; every device is where it would have been.
    expect(new Map(dumpedAddresses(restored))).toEqual(new Map(dumpedAddresses(original)));
    expect(restored).toContain("passwd='geheim'");
    expect(restored).not.toContain('vfio-warden');
    expect(await dump('busy')).toContain('pcie-to-pci-bridge');
  });

  it('takes the rest back when forced, and its guest runs on', async () => {
    const before = await host.virsh('domid', 'busy');
    const { code, stdout } = await uninstall('api.sock', '--force');
    expect(stdout).toMatch(/busy:\n +hostdev 0000:66:00\.0 leaves/);
    expect(code).toBe(0);
    expect(await dump('busy')).not.toMatch(/pcie-to-pci-bridge|vfio-warden/);
    expect(await host.virsh('domid', 'busy')).toBe(before);
    expect((await uninstall('api.sock', '--check')).code).toBe(0);
  });

  it('turns the switch with the service dead, by the file', async () => {
    const { code, stdout } = await wardenctl(
      ['mode', 'off', '--server', `unix:${join(directory, 'nobody.sock')}`],
      { env: { WARDEN_STATE_DIRECTORY: directory } },
    );
    expect(stdout).toMatch(/^off, written to /);
    expect(code).toBe(0);
    expect(await readFile(join(directory, 'mode'), 'utf8')).toBe('off\n');
  });
});

/** The two questions that an uninstallation asks of the service. */
function serviceThatKnows(domains: readonly object[]): Server {
  return createServer(({ url = '' }, response) => {
    response.setHeader('Content-Type', 'application/json');
    response.end(JSON.stringify(url.startsWith('/v1/domains') ? { items: domains } : { name: 'node-1' }));
  });
}
