import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CallTimeout, ConnectionLost } from '../../src/libvirt/rpc/call-errors.js';
import { encodeFrame, HEADER_BYTES, PROGRAM, readHeader, STATUS, TYPE } from '../../src/libvirt/rpc/frame.js';
import { FrameSplitter } from '../../src/libvirt/rpc/frame-splitter.js';
import { LibvirtClient } from '../../src/libvirt/rpc/libvirt-client.js';
import { ERROR_CODE, LibvirtError } from '../../src/libvirt/rpc/libvirt-error.js';
import { ProtocolError } from '../../src/libvirt/rpc/protocol-error.js';
import { XdrWriter } from '../../src/libvirt/rpc/xdr-writer.js';

const AUTH_LIST = 66;
const SUPPORTS_FEATURE = 60;
const GET_HOSTNAME = 59;
const PING = 1;
const PONG = 2;

type Frame = ReturnType<typeof readHeader> & { payload: Buffer };

/** A peer that speaks libvirt's protocol and does what a test wants of it, which no libvirt would. */
class StrangePeer {
  readonly received: Frame[] = [];
  socket: Socket | undefined;
  /** Takes a call; the answer is the reply's payload, or undefined for none. */
  answer: (frame: Frame) => Buffer | undefined = usualAnswer;
  private readonly directory = mkdtempSync(join(tmpdir(), 'peer-'));
  readonly path = join(this.directory, 'sock');
  private readonly server: Server = createServer((socket) => this.serve(socket));

  async listen(): Promise<void> {
    this.server.listen(this.path);
    await once(this.server, 'listening');
  }

  send(header: Partial<Frame>, payload: Buffer = Buffer.alloc(0)): void {
    const defaults = {
      program: PROGRAM.remote,
      version: 1,
      procedure: 0,
      type: TYPE.reply,
      serial: 0,
      status: STATUS.ok,
    };
    this.socket!.write(encodeFrame({ ...defaults, ...header }, payload));
  }

  async close(): Promise<void> {
    this.socket?.destroy();
    this.server.close();
    rmSync(this.directory, { recursive: true, force: true });
  }

  private serve(socket: Socket): void {
    this.socket = socket;
    const splitter = new FrameSplitter();
    socket.on('error', () => {});
    socket.on('data', (chunk: Buffer) => {
      for (const bytes of splitter.push(chunk)) {
        const frame = { ...readHeader(bytes), payload: bytes.subarray(HEADER_BYTES) };
        this.received.push(frame);
        const payload = frame.type === TYPE.call ? this.answer(frame) : undefined;
        if (payload) this.send({ procedure: frame.procedure, serial: frame.serial }, payload);
      }
    });
  }
}

function xdr(write: (writer: XdrWriter) => void): Buffer {
  const writer = new XdrWriter();
  write(writer);
  return writer.finish();
}

/** Lets the client in, has keepalive, and says that the host is called `strange`. */
function usualAnswer({ procedure }: Frame): Buffer {
  if (procedure === AUTH_LIST) return authTypes(0);
  if (procedure === SUPPORTS_FEATURE) return xdr((writer) => writer.i32(1));
  return procedure === GET_HOSTNAME ? xdr((writer) => writer.string('strange')) : Buffer.alloc(0);
}

function authTypes(type: number): Buffer {
  return xdr((writer) => writer.array([type], 20, (each) => writer.i32(each)));
}

const soon = (milliseconds: number) => new Promise((resolve) => setTimeout(resolve, milliseconds));

describe('a client whose peer misbehaves', () => {
  let peer: StrangePeer;
  const clients: LibvirtClient[] = [];

  beforeEach(async () => {
    peer = new StrangePeer();
    await peer.listen();
  });
  afterEach(async () => {
    await Promise.all(clients.splice(0).map((client) => client.close()));
    await peer.close();
  });

  async function connect(
    options: Partial<Parameters<typeof LibvirtClient.connect>[0]> = {},
  ): Promise<LibvirtClient> {
    const client = await LibvirtClient.connect({ path: peer.path, keepalive: false, ...options });
    clients.push(client);
    return client;
  }

  it('says that nothing listens', async () => {
    await expect(LibvirtClient.connect({ path: `${peer.path}-absent` })).rejects.toMatchObject({
      code: 'ENOENT',
    });
  });

  it('does not wait for ever to be let in', async () => {
    peer.answer = () => undefined;
    await expect(connect({ callTimeoutMs: 50 })).rejects.toBeInstanceOf(CallTimeout);
  });

  it('asks polkit to let it in, and does not pretend to know SASL', async () => {
    peer.answer = (frame) => (frame.procedure === AUTH_LIST ? authTypes(2) : xdr((writer) => writer.i32(1)));
    await expect(connect()).rejects.toBeInstanceOf(ProtocolError);
    expect(peer.received.map(({ procedure }) => procedure)).toEqual([AUTH_LIST, 70, 1]);

    peer.answer = () => authTypes(1);
    await expect(connect()).rejects.toMatchObject({ code: ERROR_CODE.authFailed });
    await expect(connect()).rejects.toBeInstanceOf(LibvirtError);
  });

  it('gives a call up in time, and takes the late answer for what it is', async () => {
    const client = await connect({ callTimeoutMs: 50 });
    let late: Frame | undefined;
    peer.answer = (frame) => void (late ??= frame);
    await expect(client.hostname()).rejects.toMatchObject({ call: 'CONNECT_GET_HOSTNAME', sent: true });

    peer.answer = usualAnswer;
    peer.send(
      { serial: late!.serial },
      xdr((writer) => writer.string('late')),
    );
    expect(await client.hostname()).toBe('strange');
  });

  it('gives libvirt no more calls at once than leave it reading', async () => {
    const client = await connect({ callTimeoutMs: 100 });
    peer.received.length = 0;
    peer.answer = () => undefined;
    const outcomes = await Promise.allSettled(Array.from({ length: 9 }, () => client.hostname()));

    expect(peer.received).toHaveLength(4);
    const sent = outcomes.map((outcome) => outcome.status === 'rejected' && outcome.reason.sent);
    expect(sent.lastIndexOf(true)).toBe(3);
    expect(sent.indexOf(false)).toBe(4);
  });

  it('rejects every call with one error when the connection ends', async () => {
    const client = await connect();
    peer.answer = () => undefined;
    const calls = Array.from({ length: 50 }, () => client.hostname().catch((error: unknown) => error));
    await soon(20);
    peer.socket!.end();

    const errors = new Set(await Promise.all(calls));
    expect(errors.size).toBe(1);
    expect([...errors][0]).toBeInstanceOf(ConnectionLost);
    expect(await client.closed).toBe([...errors][0]);
    await expect(client.hostname()).rejects.toBe([...errors][0]);
  });

  it('answers a ping, whatever was agreed', async () => {
    await connect();
    peer.send({ program: PROGRAM.keepalive, procedure: PING, type: TYPE.message });
    await soon(20);
    expect(peer.received.at(-1)).toMatchObject({
      program: PROGRAM.keepalive,
      procedure: PONG,
      type: TYPE.message,
      serial: 0,
    });
  });

  it('asks a silent peer whether it is there, and gives it up after so many pings', async () => {
    const client = await connect({ keepalive: { intervalMs: 20, count: 3 } });
    const reason = await client.closed;

    const pings = peer.received.filter(({ program }) => program === PROGRAM.keepalive);
    expect(pings.map(({ procedure }) => procedure)).toEqual([PING, PING, PING]);
    expect(reason).toBeInstanceOf(ConnectionLost);
    expect(reason!.message).toMatch(/keepalive/);
  });

  it('asks nothing of a peer that knows no keepalive', async () => {
    peer.answer = (frame) =>
      frame.procedure === SUPPORTS_FEATURE ? xdr((writer) => writer.i32(0)) : usualAnswer(frame);
    await connect({ keepalive: { intervalMs: 10, count: 1 } });
    await soon(60);
    expect(peer.received.filter(({ program }) => program === PROGRAM.keepalive)).toEqual([]);
  });

  it.each<[what: string, send: () => void]>([
    ['a frame of 2 GiB', () => peer.socket!.write(Buffer.from('8000000000000000', 'hex'))],
    ['a frame shorter than its header', () => peer.socket!.write(Buffer.alloc(64))],
    ['a reply that nobody asked for', () => peer.send({ serial: 4711 })],
    ['a call', () => peer.send({ type: TYPE.call, serial: 1 })],
    ['a stream', () => peer.send({ type: TYPE.stream, serial: 1 })],
    ['another program', () => peer.send({ program: 0x1234_5678 })],
    ['an event that is cut short', () => peer.send({ type: TYPE.message, procedure: 318 }, Buffer.alloc(8))],
  ])('ends a connection that has sent %s', async (_what, send) => {
    const client = await connect();
    send();
    const reason = await client.closed;
    expect(reason).toBeInstanceOf(ConnectionLost);
    expect(reason!.cause).toBeInstanceOf(ProtocolError);
  });

  it('rejects a call whose answer cannot be read, and no other', async () => {
    const client = await connect();
    peer.answer = () => Buffer.from('ffffffff', 'hex');
    await expect(client.hostname()).rejects.toBeInstanceOf(ProtocolError);
    peer.answer = usualAnswer;
    expect(await client.hostname()).toBe('strange');
  });

  it('keeps a large call for a peer that reads slowly, and goes on when it reads', async () => {
    const client = await connect();
    peer.socket!.pause();
    const xml = 'x'.repeat(3_000_000);
    const calls = Array.from({ length: 6 }, () => client.defineDomain(xml).catch((error: unknown) => error));
    await soon(50);
    peer.socket!.resume();

    // The peer answers with nothing, where a domain should be.
    for (const outcome of await Promise.all(calls)) expect(outcome).toBeInstanceOf(ProtocolError);
    expect(await client.hostname()).toBe('strange');
  });

  it('owes a peer that pings without reading one answer, not one for each', async () => {
    const client = await connect();
    peer.received.length = 0;
    peer.socket!.pause();
    const blocked = client.defineDomain('x'.repeat(3_000_000)).catch(() => {});
    await soon(20);
    for (let pings = 0; pings < 1_000; pings += 1) {
      peer.send({ program: PROGRAM.keepalive, procedure: PING, type: TYPE.message });
    }
    await soon(50);
    peer.socket!.resume();
    await blocked;
    await client.hostname();

    expect(peer.received.filter(({ program }) => program === PROGRAM.keepalive)).toHaveLength(1);
  });

  it('ends on a signal, also while it is let in', async () => {
    peer.answer = () => undefined;
    const aborting = new AbortController();
    const connecting = connect({ signal: aborting.signal });
    await soon(20);
    aborting.abort();
    await expect(connecting).rejects.toBeInstanceOf(ConnectionLost);
  });
});
