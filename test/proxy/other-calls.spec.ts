import { execFileSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { hostdev } from '../fixtures/scenario.js';
import { ProxyServer } from '../../src/libvirt/proxy/proxy-server.js';
import { domain, NVME } from './domains.js';
import { ProxiedHost } from './proxied-host.js';

const missing = fixtureHostMissing();
const BRIDGE = "model='pcie-to-pci-bridge'";

describe.skipIf(missing !== undefined)('what else clients do, through the proxy', () => {
  let proxied: ProxiedHost;
  const virsh = (...command: string[]) => proxied.virsh(...command);

  beforeAll(async () => {
    proxied = await ProxiedHost.start();
  }, 60_000);
  afterEach(() => proxied.clear());
  afterAll(() => proxied?.stop());

  it('events reach one connection of what another one does', async () => {
    const xml = proxied.file('domain.xml', domain('vm', hostdev(NVME)));

    expect(await proxied.python('events.py', xml)).toEqual(['defined', 'started', 'stopped', 'undefined']);
  });

  it('a console is a stream that carries what the guest writes', async () => {
    await virsh('create', proxied.file('domain.xml', domain('vm', '')));

    expect(await proxied.python('console.py', 'vm')).toEqual({ came: true, alive: true });
  });

  it('a volume comes back as it was uploaded', async () => {
    const content = randomBytes(9 * 1024 * 1024 + 13);
    const [up, down] = [proxied.file('up.raw'), proxied.file('down.raw')];
    writeFileSync(up, content);
    const pool = join(proxied.host.directory, 'pool');
    mkdirSync(pool);
    await virsh('pool-create-as', 'here', 'dir', '--target', pool);
    await virsh('vol-create-as', 'here', 'volume', String(content.length), '--format', 'raw');
    await virsh('vol-upload', '--pool', 'here', 'volume', up);
    await virsh('vol-download', '--pool', 'here', 'volume', down);
    await virsh('pool-destroy', 'here');

    const sum = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex');
    expect(sum(readFileSync(down))).toBe(sum(content));
  });

  it('a disk that is copied to an NVMe controller of the host is decided about', async () => {
    await virsh('create', proxied.file('domain.xml', domain('vm', disk())));
    const [bus, slot] = [NVME.slice(5, 7), NVME.slice(8, 10)];
    const address = `<address domain='0x0000' bus='0x${bus}' slot='0x${slot}' function='0x0'/>`;
    const target = `<disk type='nvme' device='disk'><driver name='qemu' type='raw'/><source type='pci' namespace='1'>${address}</source></disk>`;
    // No QEMU drives the stand-in for the controller; what matters is that the call was seen.
    await virsh('blockcopy', 'vm', 'vda', '--xml', proxied.file('copy.xml', target)).catch(() => undefined);

    const [, copy] = proxied.stand.journal.decisions;
    expect(copy).toMatchObject({
      occasion: { operation: 'block-copy' },
      decision: { devices: [{ carrier: 'nvme-disk', source: NVME }] },
    });
  });

  it('a snapshot of disk and memory is taken and reverted to', async () => {
    await virsh('create', proxied.file('domain.xml', domain('vm', disk())));
    await virsh('snapshot-create-as', 'vm', 'first');
    await virsh('snapshot-revert', 'vm', 'first');

    expect(await virsh('snapshot-list', 'vm', '--name')).toContain('first');
  });

  it('a snapshot that a client brings in is decided about, and keeps the hardware of its guest', async () => {
    const uuid = '1b0d3b1e-8d3c-4a8f-9d3c-0b7a1c1d2e3f';
    await proxied.define(domain('vm', disk(), { uuid }));
    const own = domain('vm', disk() + hostdev(NVME), { uuid });
    const snapshot = `<domainsnapshot><name>old</name><state>shutoff</state><creationTime>1</creationTime>${own}</domainsnapshot>`;
    await virsh('snapshot-create', 'vm', proxied.file('snapshot.xml', snapshot), '--redefine');

    const kept = await virsh('snapshot-dumpxml', 'vm', 'old');
    expect(kept).toContain('<hostdev');
    expect(kept).not.toContain(BRIDGE);
    expect(proxied.stand.journal.decisions.map(({ occasion }) => occasion.operation)).toEqual([
      'define',
      'snapshot',
    ]);
  });

  it('a domain is saved and restored, with XML and without', async () => {
    await virsh('create', proxied.file('domain.xml', domain('vm', '')));
    const [image, other] = [join(proxied.host.directory, 'saved'), join(proxied.host.directory, 'other.xml')];
    await virsh('save', 'vm', image);
    await virsh('restore', image);
    const xml = (await virsh('dumpxml', 'vm', '--migratable')).replace(
      '</name>',
      '</name><title>restored</title>',
    );
    writeFileSync(other, xml);
    await virsh('save', 'vm', image, '--xml', other);
    await virsh('restore', image, '--xml', other);

    expect(await virsh('dumpxml', 'vm')).toContain('<title>restored</title>');
    await virsh('save', 'vm', image);
    await virsh('save-image-define', image, other);
    expect(await virsh('save-image-dumpxml', image)).toContain('<title>restored</title>');
  });

  it('a managed save is taken, gets other XML, and is started from', async () => {
    await proxied.define(domain('vm', ''));
    await virsh('start', 'vm');
    await virsh('managedsave', 'vm');
    const xml = (await virsh('managedsave-dumpxml', 'vm')).replace('</name>', '</name><title>kept</title>');
    await virsh('managedsave-define', 'vm', proxied.file('other.xml', xml));
    await virsh('start', 'vm');

    expect(await virsh('dumpxml', 'vm')).toContain('<title>kept</title>');
  });

  it('a migration to where the domain is already is refused in the words of libvirt', async () => {
    await virsh('create', proxied.file('domain.xml', domain('vm', '')));
    const refusal = async (uri: string, run: typeof virsh) =>
      run('migrate', 'vm', uri, '--live').then(
        () => 'migrated',
        (error: { stderr: string }) => error.stderr,
      );
    const direct = await refusal(proxied.host.uri, (...command) => proxied.host.virsh(...command));

    expect(direct).toContain('error: ');
    expect(await refusal(proxied.stand.uri, virsh)).toBe(direct);
  });

  it('what needs file descriptors is refused, and the connection lives', async () => {
    await virsh(
      'create',
      proxied.file(
        'domain.xml',
        domain('vm', `<graphics type='vnc' socket='${proxied.host.directory}/vnc'/>`),
      ),
    );
    const refused = { code: 3, message: expect.stringContaining('file descriptors cannot pass') };

    const { refusals, still } = await proxied.python<{ refusals: unknown[]; still: string }>(
      'graphics_fd.py',
      'vm',
    );
    expect(refusals).toEqual([refused, refused]);
    expect(still).toBe('vm');
  });

  it('twenty clients at once are served, and none is given up by its keepalive', async () => {
    const xml = proxied.file('domain.xml', domain('NAME', hostdev(NVME)));

    expect(await proxied.python('parallel.py', xml, '20')).toEqual({ done: 20, errors: [] });
    expect(proxied.stand.clients).toBe(0);
  });

  it('the read-only socket passes what libvirt allows there', async () => {
    await proxied.define(domain('vm', ''));
    const path = join(proxied.host.directory, 'proxy-sock-ro');
    const readOnly = new ProxyServer(
      { listen: { path, mode: 0o666 }, upstream: () => `${proxied.host.socket}-ro` },
      { judged: () => {}, answered: () => {}, refused: () => {} },
      () => {},
    );
    await readOnly.start();
    const run = (...command: string[]) =>
      virsh(`connect qemu+unix:///system?socket=${path} --readonly; ${command.join(' ')}`);
    try {
      expect(await run('list --all --name')).toContain('vm');
      await expect(run('start vm')).rejects.toThrow(/read only access/);
    } finally {
      await readOnly.stop(0);
    }
  });

  function disk(): string {
    const image = join(proxied.host.directory, 'disk.qcow2');
    execFileSync('qemu-img', ['create', '-q', '-f', 'qcow2', image, '1M']);
    return `<disk type='file'><driver name='qemu' type='qcow2'/><source file='${image}'/><target dev='vda' bus='virtio'/></disk>`;
  }
});
