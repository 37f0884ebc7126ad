import { link, mkdir, mkdtemp, rename, rm, symlink } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { upstreamSocket } from './upstream-socket.js';

describe('upstreamSocket', () => {
  let run: string;
  let libvirt: string;
  let proxy: string;
  const servers: Server[] = [];

  const listen = (path: string) =>
    new Promise<void>((resolve) => {
      const server = createServer();
      servers.push(server);
      server.listen(path, resolve);
    });

  beforeEach(async () => {
    run = await mkdtemp(join(tmpdir(), 'warden-run-'));
    libvirt = join(run, 'libvirt-sock');
    proxy = join(run, 'proxy-sock');
    await listen(libvirt);
    await listen(proxy);
  });
  afterEach(async () => {
    for (const server of servers.splice(0)) server.close();
    await rm(run, { recursive: true });
  });

  it('is where it always was until libvirt is moved', () => {
    expect(upstreamSocket(libvirt, [proxy])).toBe(libvirt);
  });

  it('is found where takeover.sh has put it, in each of its steps', async () => {
    const moved = join(run, 'upstream', 'libvirt-sock');
    await mkdir(join(run, 'upstream'));
    await link(libvirt, moved);
    expect(upstreamSocket(libvirt, [proxy])).toBe(moved);
    await symlink(proxy, join(run, 'new'));
    await rename(join(run, 'new'), libvirt);
    expect(upstreamSocket(libvirt, [proxy])).toBe(moved);
  });

  it("is never the proxy's own socket: that would call itself for ever", async () => {
    await rm(libvirt);
    await symlink(proxy, libvirt);
    expect(() => upstreamSocket(libvirt, [proxy])).toThrow("the proxy's own socket is in libvirt's place");
  });
});
