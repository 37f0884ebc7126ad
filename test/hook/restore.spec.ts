import { createServer, type Server } from 'node:http';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { HookHost } from './hook-host.js';

const DOMAIN = `<domain type='qemu'><name>vm</name><memory unit='MiB'>32</memory>
  <os><type arch='x86_64' machine='q35'>hvm</type></os><devices><interface type='user'><model type='virtio'/></interface></devices></domain>`;

let host: HookHost;
let service: Server | undefined;

beforeAll(async () => {
  host = await HookHost.withLibvirtd();
  await host.configure({});
  await host.write(`${host.directory}/vm.xml`, DOMAIN);
}, 60_000);
afterAll(() => host.stop());
beforeEach(async () => {
  await host.virsh('create', `${host.directory}/vm.xml`);
  expect(await host.virsh('save', 'vm', `${host.directory}/vm.save`)).toMatchObject({ status: 0 });
}, 30_000);
afterEach(async () => {
  service?.close();
  service = undefined;
  await host.virsh('destroy', 'vm');
}, 30_000);

/** A service that answers a restore with the document as this changes it, and lets everything else go on. */
async function replacing(change: (xml: string) => string): Promise<void> {
  const server = createServer((request, response) => {
    const chunks: Buffer[] = [];
    request.on('data', (chunk: Buffer) => chunks.push(chunk));
    request.on('end', () => {
      const xml = Buffer.concat(chunks).toString().trim();
      response.end(request.url === '/restore' ? change(xml) : '');
    });
  });
  service = server;
  await new Promise<void>((resolve) => server.listen(host.socket, resolve));
}

const restore = () => host.virsh('restore', `${host.directory}/vm.save`);
const MARK = "<metadata><m:mark xmlns:m='urn:m'>é &lt; 'q' \\n</m:mark></metadata><os>";

describe('a restored domain', () => {
  it('runs with the document that the service answered', async () => {
    await replacing((xml) => xml.replace('<os>', MARK));
    expect(await restore()).toMatchObject({ status: 0 });
    expect((await host.virsh('dumpxml', 'vm')).stdout).toContain("é &lt; 'q' \\n</m:mark>");
  });

  it('runs as it was where the service changes nothing, or is dead', async () => {
    expect(await restore()).toMatchObject({ status: 0 });
    expect((await host.virsh('dumpxml', 'vm')).stdout).not.toContain('metadata');
  });

  it('is not restored by libvirt with other hardware: an answer cannot break the guest', async () => {
    await replacing((xml) => xml.replace("<model type='virtio'/>", "<model type='e1000e'/>"));
    const changed = await restore();
    expect(changed.status).toBe(1);
    expect(changed.stderr).toContain('Target network card model e1000e does not match source virtio');
  });

  it('is stopped by a veto, and can be restored afterwards', async () => {
    const server = createServer((_, response) => response.writeHead(403).end('vfio-warden: not here'));
    await new Promise<void>((resolve) => server.listen(host.socket, resolve));
    const refused = await restore();
    server.close();
    expect(refused.stderr).toContain('vfio-warden: not here');
    expect(await restore()).toMatchObject({ status: 0 });
  });

  it('is asked about as one that comes in when it was saved by libvirt itself', async () => {
    await restore();
    await host.write(`${host.directory}/persistent.xml`, DOMAIN.replace('>vm<', '>kept<'));
    await host.virsh('define', `${host.directory}/persistent.xml`);
    await host.virsh('start', 'kept');
    await host.virsh('managedsave', 'kept');
    await replacing((xml) => xml.replace('<os>', MARK));
    expect(await host.virsh('start', 'kept')).toMatchObject({ status: 0 });
    expect((await host.virsh('dumpxml', 'kept')).stdout).toContain('m:mark');
    await host.virsh('destroy', 'kept');
  });
});
