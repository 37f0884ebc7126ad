import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ConnectionLost } from '../../src/libvirt/rpc/call-errors.js';
import type { LibvirtClient } from '../../src/libvirt/rpc/libvirt-client.js';
import { ReconnectingClient } from '../../src/libvirt/rpc/reconnecting-client.js';
import { tinyDomain } from './domains.js';
import { libvirtdMissing, PrivateLibvirtd } from './private-libvirtd.js';

const missing = libvirtdMissing();

/** What a reconnecting client tells, to be waited for. */
class Story {
  readonly told: string[] = [];
  readonly errors: Error[] = [];
  private wake = () => {};

  onConnected(_client: LibvirtClient): void {
    this.tell('connected');
  }

  onDisconnected(error: Error): void {
    this.errors.push(error);
    this.tell('disconnected');
  }

  async reaches(count: number): Promise<string[]> {
    while (this.told.length < count) {
      await new Promise<void>((resolve) => {
        this.wake = resolve;
      });
    }
    return this.told;
  }

  private tell(what: string): void {
    this.told.push(what);
    this.wake();
  }
}

describe.skipIf(missing)('a client that keeps its connection', () => {
  let daemon: PrivateLibvirtd;
  let client: ReconnectingClient | undefined;

  beforeEach(async () => {
    daemon = await PrivateLibvirtd.start();
  }, 60_000);
  afterEach(async () => {
    await client?.stop();
    await daemon?.stop();
  });

  it('is there again after libvirtd was killed and started, and so are the domains', async () => {
    const story = new Story();
    client = new ReconnectingClient({ path: daemon.socket }, story);
    await story.reaches(1);
    const first = client.current()!;
    const domain = await first.startDomain(await first.defineDomain(tinyDomain('survivor')));

    const waiting = first.closed;
    await daemon.kill();
    expect(await waiting).toBeInstanceOf(ConnectionLost);
    await expect(first.hostname()).rejects.toBeInstanceOf(ConnectionLost);
    await story.reaches(2);
    expect(client.current()).toBeUndefined();

    await daemon.restart();
    expect(await story.reaches(3)).toEqual(['connected', 'disconnected', 'connected']);
    expect(await client.current()!.isActive(domain)).toBe(true);
  });

  it('waits for a libvirtd that is not there yet, and says once that it is not', async () => {
    await daemon.kill();
    const story = new Story();
    client = new ReconnectingClient({ path: daemon.socket }, story);
    await story.reaches(1);
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(story.told).toEqual(['disconnected']);
    expect(story.errors[0]).toMatchObject({ code: 'ECONNREFUSED' });

    await daemon.restart();
    expect(await story.reaches(2)).toEqual(['disconnected', 'connected']);
  });

  it('notices a libvirtd that has stopped answering, and comes back when it answers', async () => {
    const story = new Story();
    client = new ReconnectingClient(
      { path: daemon.socket, callTimeoutMs: 1_000, keepalive: { intervalMs: 100, count: 3 } },
      story,
    );
    await story.reaches(1);
    await daemon.freeze();
    await story.reaches(2);
    expect(story.errors[0]!.message).toMatch(/keepalive/);
    await daemon.thaw();
    await story.reaches(3);
    expect(await client.current()!.listDomains()).toEqual([]);
  });

  it('stops at once, whatever it is doing', async () => {
    const story = new Story();
    client = new ReconnectingClient({ path: daemon.socket }, story);
    await story.reaches(1);
    await client.stop();
    expect(client.current()).toBeUndefined();

    await daemon.freeze();
    const waiting = new ReconnectingClient({ path: daemon.socket }, story);
    await new Promise((resolve) => setTimeout(resolve, 50));
    const began = performance.now();
    await waiting.stop();
    expect(performance.now() - began).toBeLessThan(1_000);
    await daemon.thaw();
    expect(story.told).toEqual(['connected']);
  });
});
