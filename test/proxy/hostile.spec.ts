import { randomUUID } from 'node:crypto';
import { setTimeout as delay } from 'node:timers/promises';
import { afterAll, afterEach, beforeAll, describe, expect, it, vi } from 'vitest';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { hostdev } from '../fixtures/scenario.js';
import { HEADER_BYTES, TYPE, type FrameHeader } from '../../src/libvirt/rpc/frame.js';
import { ERROR_CODE } from '../../src/libvirt/rpc/libvirt-error.js';
import { XdrWriter } from '../../src/libvirt/rpc/xdr-writer.js';
import { domain, NVME } from './domains.js';
import { ProxiedHost } from './proxied-host.js';
import { RawClient } from './raw-client.js';

const missing = fixtureHostMissing();
const MIB = 1024 * 1024;
const NOTHING = Buffer.alloc(0);
const CONNECT_GET_LIB_VERSION = 157;
const CONNECT_GET_CAPABILITIES = 7;
const DOMAIN_DEFINE_XML = 11;
const OPEN_GRAPHICS_FD = 343;

describe.skipIf(missing !== undefined)('clients that do not keep to the protocol', () => {
  let proxied: ProxiedHost;
  const clients: RawClient[] = [];

  beforeAll(async () => {
    proxied = await ProxiedHost.start();
  }, 60_000);
  afterEach(async () => {
    for (const client of clients.splice(0)) client.close();
    await others();
    await proxied.clear();
  });
  afterAll(() => proxied?.stop());

  it.each([0, 27, 33 * MIB, 2 ** 31])('lose their connection for a length of %i', async (length) => {
    const client = await open();
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(length);
    client.socket.write(header);

    await client.ended;
  });

  it.each<[string, number, Partial<FrameHeader>]>([
    ['program', 1, { program: 0x1234_5678 }],
    ['version', CONNECT_GET_LIB_VERSION, { version: 99 }],
    ['procedure', 999_999, {}],
    ['negative procedure', -1, {}],
  ])('are answered by libvirt itself about an unknown %s', async (_, procedure, header) => {
    const [through, direct] = await Promise.all([open(), open(proxied.host.socket)]);
    const answers = await Promise.all(
      [through, direct].map((client) => client.call(procedure, NOTHING, header)),
    );

    expect(answers[0]!.error).toBeDefined();
    expect(answers[0]!.payload).toEqual(answers[1]!.payload);
    expect(await through.alive()).toBe(true);
  });

  it('meet with a frame of an unknown type what they meet without the proxy', async () => {
    const ends = [await open(), await open(proxied.host.socket)].map(async (client) => {
      client.call(CONNECT_GET_LIB_VERSION, NOTHING, { type: 9 }).catch(() => undefined);
      return Promise.race([client.ended.then(() => 'ended'), delay(500, 'not ended')]);
    });
    const [through, direct] = await Promise.all(ends);

    expect(through).toBe(direct);
  });

  it('are told of arguments that are cut short, and may go on', async () => {
    const client = await open();
    const { error } = await client.call(DOMAIN_DEFINE_XML, xmlArgument(domain('vm', '')).subarray(0, 50));

    expect(error).toMatchObject({ code: ERROR_CODE.rpc });
    expect(await client.alive()).toBe(true);
  });

  it('may send 32 MiB in a frame that is not judged', async () => {
    const client = await open();
    await client.call(CONNECT_GET_LIB_VERSION, Buffer.alloc(32 * MIB - HEADER_BYTES));

    expect(await client.alive()).toBe(true);
  });

  it('may not in one that is', async () => {
    const client = await open();
    client.call(DOMAIN_DEFINE_XML, Buffer.alloc(16 * MIB)).catch(() => undefined);

    await client.ended;
  });

  it('may send a call byte by byte', async () => {
    const client = await open();
    const { frame, answer } = client.prepare(DOMAIN_DEFINE_XML, xmlArgument(domain('vm', hostdev(NVME))));
    for (const byte of frame) {
      client.socket.write(Buffer.of(byte));
      await delay(0);
    }

    expect((await answer).error).toBeUndefined();
    expect(await proxied.host.virsh('dumpxml', 'vm')).toContain('pcie-to-pci-bridge');
  });

  it('may send many calls in one piece, in any mixture', async () => {
    const client = await open();
    const calls = Array.from({ length: 40 }, (_, at) =>
      at % 4 === 0
        ? client.prepare(DOMAIN_DEFINE_XML, xmlArgument(domain(`vm-${at}`, hostdev(NVME))))
        : client.prepare(CONNECT_GET_LIB_VERSION, NOTHING),
    );
    client.socket.write(Buffer.concat(calls.map(({ frame }) => frame)));
    const answers = await Promise.all(calls.map(({ answer }) => answer));

    expect(answers.filter(({ error }) => error)).toEqual([]);
  });

  it('keep nobody else waiting with half a header, or half a call', async () => {
    for (const bytes of [10, 200]) {
      const client = await open();
      const { frame } = client.prepare(DOMAIN_DEFINE_XML, xmlArgument(domain('vm', '')));
      client.socket.write(frame.subarray(0, bytes));
    }

    await others();
  });

  it.each([
    ['answers of libvirt', CONNECT_GET_CAPABILITIES, 20_000],
    ['refusals of the proxy', OPEN_GRAPHICS_FD, 400_000],
  ])('that never read %s do not fill the memory', async (_, procedure, calls) => {
    const client = await open();
    client.socket.pause();
    const { frame } = client.prepare(procedure, NOTHING);
    const before = process.memoryUsage.rss();
    const many = Buffer.concat(Array.from({ length: 1000 }, () => frame));
    for (let sent = 0; sent < calls && !client.socket.writableNeedDrain; sent += 1000) {
      client.socket.write(many);
      await delay(1);
    }
    await delay(1_000);

    // It is no longer read from: what it wants to send is still with it.
    expect(client.socket.writableLength).toBeGreaterThan(0);
    expect(process.memoryUsage.rss() - before).toBeLessThan(64 * MIB);
    await others();
  });

  it('may bring descriptors: the call is refused, and the byte for each of them is no part of the next', async () => {
    const client = await open();
    const count = new XdrWriter();
    count.u32(3);
    const { frame, answer } = client.prepare(249, count.finish(), { type: TYPE.callWithFds });
    client.socket.write(Buffer.concat([frame, Buffer.alloc(3)]));

    expect((await answer).error).toMatchObject({ code: ERROR_CODE.noSupport });
    expect(await client.alive()).toBe(true);
  });

  it('cannot have two calls with one number judged at once', async () => {
    const client = await open();
    const first = client.prepare(DOMAIN_DEFINE_XML, xmlArgument(domain('a', '')), { serial: 77 });
    const second = client.prepare(DOMAIN_DEFINE_XML, xmlArgument(domain('b', '')), { serial: 77 });
    client.socket.write(Buffer.concat([first.frame, second.frame]));
    await vi.waitFor(async () => expect(await proxied.host.virsh('list', '--all', '--name')).toMatch(/^a$/m));

    expect(await proxied.host.virsh('list', '--all', '--name')).not.toMatch(/^b$/m);
  });

  it('that are killed in the middle of a call leave nothing behind', async () => {
    const client = await open();
    const { frame } = client.prepare(DOMAIN_DEFINE_XML, xmlArgument(domain('vm', '')));
    client.socket.write(frame.subarray(0, frame.length - 4));
    client.close();

    await vi.waitFor(() => expect(proxied.stand.clients).toBe(0));
    expect(await proxied.host.virsh('list', '--all', '--name')).not.toContain('vm');
  });

  it('that end take a domain with them which shall not outlive them', async () => {
    const client = await open();
    const AUTODESTROY = 2;
    const { error } = await client.call(10, xmlArgument(domain('vm', ''), AUTODESTROY));
    expect(error).toBeUndefined();
    expect(await proxied.host.virsh('list', '--name')).toContain('vm');
    client.close();

    await vi.waitFor(async () => expect(await proxied.host.virsh('list', '--name')).not.toContain('vm'), {
      timeout: 5_000,
    });
  });

  async function open(path = proxied.stand.socket): Promise<RawClient> {
    const client = await RawClient.open(path);
    clients.push(client);
    return client;
  }

  /** That the proxy serves whoever else comes. */
  async function others(): Promise<void> {
    const client = await open();
    expect(await client.alive()).toBe(true);
    client.close();
  }
});

function xmlArgument(xml: string, flags?: number): Buffer {
  const writer = new XdrWriter();
  writer.string(xml.replace('<memory', `<uuid>${randomUUID()}</uuid><memory`));
  if (flags !== undefined) writer.u32(flags);
  return writer.finish();
}
