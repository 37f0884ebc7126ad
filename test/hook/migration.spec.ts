import { createServer, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { HookHost } from './hook-host.js';

const DOMAIN = `<domain type='qemu'><name>vm</name><memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><devices/></domain>`;

let source: HookHost;
let destination: HookHost;
let service: Server | undefined;

/** libvirt does not migrate to itself, and knows hosts by the UUID of their board and by name. */
const BECOME_ANOTHER = `kill "$(cat /run/libvirt/libvirtd.pid)"
while [ -e /run/libvirt/libvirtd.pid ]; do sleep 0.1; done
sed -i '/unix_sock_dir/d' /etc/libvirt/libvirtd.conf
printf 'host_uuid = "%s"\\nunix_sock_dir = "%s"\\n' "$1" "$2" >>/etc/libvirt/libvirtd.conf
unshare --uts sh -c 'hostname "$0"; exec /run/libvirt/start-libvirtd' "$3"`;

beforeAll(async () => {
  [source, destination] = await Promise.all([HookHost.withLibvirtd(null), HookHost.withLibvirtd()]);
  await destination.configure({});
  const uuid = '11111111-2222-4333-8444-555555555555';
  const { status, stderr } = await destination.run('sh', [
    '-c',
    BECOME_ANOTHER,
    'sh',
    uuid,
    destination.directory,
    'destination',
  ]);
  expect({ status, stderr }).toEqual({ status: 0, stderr: '' });
  await source.write(`${source.directory}/vm.xml`, DOMAIN);
  await source.virsh('create', `${source.directory}/vm.xml`);
}, 120_000);
afterAll(async () => {
  await source.virsh('destroy', 'vm');
  await destination.run('virsh', ['-c', there(), 'destroy', 'vm']);
  await Promise.all([source.stop(), destination.stop()]);
}, 60_000);
afterEach(() => {
  service?.close();
  service = undefined;
});

const there = () => `qemu+unix:///system?socket=${destination.directory}/libvirt-sock`;

function migrate() {
  const migration = ['migrate', '--live', 'vm', there(), '--migrateuri', 'tcp://127.0.0.1'];
  return source.virsh(...migration);
}

async function answering(answer: (url: string, xml: string) => { status: number; body: string }) {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const { status, body } = answer(request.url!, Buffer.concat(chunks).toString().trim());
      response.writeHead(status).end(body);
    });
  });
  service = server;
  await new Promise<void>((resolve) => server.listen(destination.socket, resolve));
}

describe('a domain that migrates from one host to another', () => {
  it('stays where it is when the destination refuses it, and the client reads why', async () => {
    await answering(() => ({ status: 403, body: 'vfio-warden: cannot be protected here' }));
    const { status, stderr } = await migrate();
    expect(stderr).toContain('vfio-warden: cannot be protected here');
    expect(status).toBe(1);
    expect((await source.virsh('domstate', 'vm')).stdout.trim()).toBe('running');
  });

  it('arrives with the document that the destination answered', async () => {
    await answering((url, xml) => ({
      status: 200,
      body:
        url === '/migrate'
          ? xml.replace('<os>', "<metadata><m:mark xmlns:m='urn:m'>here</m:mark></metadata><os>")
          : '',
    }));
    expect(await migrate()).toMatchObject({ status: 0, stderr: '' });
    expect((await destination.run('virsh', ['-c', there(), 'dumpxml', 'vm'])).stdout).toContain(
      'here</m:mark>',
    );
    expect((await source.virsh('list', '--name')).stdout.trim()).toBe('');
  });
});
