import { mkdtempSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { libvirtdMissing, PrivateLibvirtd } from '../libvirt-rpc/private-libvirtd.js';
import { tinyDomain } from '../libvirt-rpc/domains.js';
import { LibvirtClient } from '../../src/libvirt/rpc/libvirt-client.js';
import { CONVENTIONAL_BUS } from './proxied-host.js';
import { ProxyStand } from './proxy-stand.js';
import { RawClient } from './raw-client.js';

const missing = libvirtdMissing();
const WITHIN_MS = 1_000;

describe.skipIf(missing !== undefined)('libvirt behind the proxy', () => {
  let libvirtd: PrivateLibvirtd;
  let stand: ProxyStand;

  beforeAll(async () => {
    libvirtd = await PrivateLibvirtd.start();
    const { socket: upstream, directory } = libvirtd;
    stand = new ProxyStand({ upstream, directory, policy: CONVENTIONAL_BUS });
    await stand.start();
  }, 60_000);
  afterAll(async () => {
    await stand?.stop();
    await libvirtd?.stop();
  });

  it('ends, and its clients know at once; away, and new ones are turned away; back, and they are served', async () => {
    const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.open(stand.socket)));
    await libvirtd.kill();
    const killedAt = Date.now();
    await Promise.all(clients.map(({ ended }) => ended));
    expect(Date.now() - killedAt).toBeLessThan(WITHIN_MS);

    const turnedAway = await RawClient.connect(stand.socket);
    await turnedAway.ended;

    await libvirtd.restart();
    const client = await LibvirtClient.connect({ path: stand.socket });
    await client.defineDomain(tinyDomain('after'));
    expect(await client.domainByName('after')).toMatchObject({ name: 'after' });
    await client.close();
  });

  it('does not read, and then gets no more than it reads: the proxy keeps little, and ends with its client', async () => {
    const client = await RawClient.open(stand.socket);
    await libvirtd.freeze();
    const frame = client.prepare(157, Buffer.alloc(1024 * 1024)).frame;
    for (let sent = 0; sent < 64; sent += 1) client.socket.write(frame);
    await vi.waitFor(() => expect(client.socket.writableLength).toBeGreaterThan(32 * 1024 * 1024));
    client.close();
    await libvirtd.thaw();

    await vi.waitFor(() => expect(stand.clients).toBe(0), { timeout: 10_000 });
  });

  it('is not cut off when the proxy stops: calls in flight are answered, then the client is told to go', async () => {
    const { socket: upstream, directory } = libvirtd;
    const stopping = new ProxyStand({
      upstream,
      directory: mkdtempSync(join(directory, 'stop-')),
      policy: CONVENTIONAL_BUS,
    });
    await stopping.start();
    const client = await LibvirtClient.connect({ path: stopping.socket, keepalive: false });
    const domain = await client.defineDomain(tinyDomain('starting'));
    const idle = await RawClient.open(stopping.socket);

    const started = client.startDomain(domain);
    await delay(20);
    await stopping.stop(30_000);

    expect((await started).id).toBeGreaterThan(0);
    expect(await client.closed).toBeInstanceOf(Error);
    await idle.ended;
  });

  it('takes three hundred clients that come at once', async () => {
    const clients = await Promise.all(Array.from({ length: 300 }, () => RawClient.open(stand.socket)));
    expect(await clients.at(-1)!.alive()).toBe(true);
    for (const client of clients) client.close();

    await vi.waitFor(() => expect(stand.clients).toBe(0), { timeout: 10_000 });
  });
});
