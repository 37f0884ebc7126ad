import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { encodeFrame, HEADER_BYTES, PROGRAM, readHeader, STATUS, TYPE } from '../../src/libvirt/rpc/frame.js';
import { FrameSplitter } from '../../src/libvirt/rpc/frame-splitter.js';
import { decodeError, encodeError } from '../../src/libvirt/rpc/libvirt-error.js';
import { XdrReader } from '../../src/libvirt/rpc/xdr-reader.js';
import { tinyDomain } from './domains.js';
import { KNOWN_CALLS, KNOWN_EVENTS, rewritten } from './known-payloads.js';
import { libvirtdMissing, PrivateLibvirtd } from './private-libvirtd.js';
import { RecordingPipe } from './recording-pipe.js';

const missing = libvirtdMissing();
const run = promisify(execFile);

const RNG = `<rng model='virtio'><backend model='random'>/dev/urandom</backend><alias name='ua-dice'/></rng>`;

describe.skipIf(missing)('the codec, on what virsh and libvirtd say to each other', () => {
  let daemon: PrivateLibvirtd;
  let pipe: RecordingPipe;
  let stream: { toLibvirt: Buffer; fromLibvirt: Buffer }[];

  beforeAll(async () => {
    daemon = await PrivateLibvirtd.start();
    const path = join(daemon.directory, 'recorded');
    pipe = await RecordingPipe.between(path, daemon.socket);
    await converse(`qemu+unix:///system?socket=${path}`);
    stream = pipe.recordings.map(({ toLibvirt, fromLibvirt }) => ({
      toLibvirt: Buffer.concat(toLibvirt),
      fromLibvirt: Buffer.concat(fromLibvirt),
    }));
  }, 120_000);
  afterAll(async () => {
    await pipe?.close();
    await daemon?.stop();
  });

  /** The life of a domain, by virsh, while another virsh listens to events. */
  async function converse(uri: string): Promise<void> {
    const domain = join(daemon.directory, 'domain.xml');
    const device = join(daemon.directory, 'device.xml');
    const ports = [1, 2].map((index) => `<controller type='pci' index='${index}' model='pcie-root-port'/>`);
    writeFileSync(domain, tinyDomain('gespräch', { devices: ports.join('') }));
    writeFileSync(device, RNG);
    const listener = spawn('virsh', ['-k', '1', '-c', uri, 'event', '--all', '--loop'], {
      stdio: ['ignore', 'pipe', 'ignore'],
    });
    // It keeps the connection for as long as it listens, and says nothing before it hears something.
    await new Promise((resolve) => setTimeout(resolve, 2_500));
    const commands = [
      ['version'],
      ['define', domain],
      ['dumpxml', 'gespräch'],
      ['start', 'gespräch'],
      ['attach-device', 'gespräch', device, '--live'],
      ['domstats'],
      ['memtune', 'gespräch'],
      ['dominfo', 'gespräch'],
      ['suspend', 'gespräch'],
      ['resume', 'gespräch'],
      ['list', '--all'],
      ['net-list', '--all'],
      ['dominfo', 'absent'],
      ['destroy', 'gespräch'],
      ['undefine', 'gespräch'],
    ];
    for (const command of commands) {
      await run('virsh', ['-c', uri, ...command]).catch((error: unknown) => {
        if (!['absent', 'gespräch'].includes(command[1]!)) throw error;
      });
    }
    const closed = once(listener, 'exit');
    listener.kill('SIGINT');
    await closed;
  }

  it('gives back every frame, byte for byte', () => {
    let frames = 0;
    for (const bytes of stream.flatMap(({ toLibvirt, fromLibvirt }) => [toLibvirt, fromLibvirt])) {
      const found = new FrameSplitter().push(bytes);
      expect(Buffer.concat(found).equals(bytes)).toBe(true);
      for (const frame of found) {
        const { length, ...header } = readHeader(frame);
        expect(length).toBe(frame.length);
        expect(encodeFrame(header, frame.subarray(HEADER_BYTES)).equals(frame)).toBe(true);
      }
      frames += found.length;
    }
    expect(frames).toBeGreaterThan(200);
  });

  it('reads every call, reply, error and event that it knows, and writes the same bytes again', () => {
    const seen = { call: 0, reply: 0, error: 0, event: 0, keepalive: 0, unknown: 0 };
    const procedures = new Set<number>();
    for (const { toLibvirt, fromLibvirt } of stream) {
      for (const frame of [toLibvirt, fromLibvirt].flatMap((bytes) => new FrameSplitter().push(bytes))) {
        const kind = compare(frame);
        seen[kind] += 1;
        if (kind === 'reply' || kind === 'event') procedures.add(readHeader(frame).procedure);
      }
    }
    console.log(`${JSON.stringify(seen)}, ${procedures.size} procedures`);
    expect(seen).toMatchObject({
      error: expect.toSatisfy((count: number) => count > 0),
      keepalive: expect.toSatisfy((count: number) => count > 0),
    });
    expect(seen.event).toBeGreaterThanOrEqual(8);
    expect(procedures.size).toBeGreaterThanOrEqual(20);
  });

  function compare(frame: Buffer): 'call' | 'reply' | 'error' | 'event' | 'keepalive' | 'unknown' {
    const { program, type, procedure, status } = readHeader(frame);
    const payload = frame.subarray(HEADER_BYTES);
    if (program === PROGRAM.keepalive) return 'keepalive';
    if (program !== PROGRAM.remote) return 'unknown';
    if (type === TYPE.reply && status === STATUS.error) {
      expect(encodeError(decodeError(payload)).equals(payload)).toBe(true);
      return 'error';
    }
    const kind = type === TYPE.call ? 'call' : type === TYPE.reply ? 'reply' : 'event';
    const known = KNOWN_CALLS.get(procedure);
    const part =
      kind === 'event' ? KNOWN_EVENTS.get(procedure) : kind === 'call' ? known?.args : known?.reply;
    if (!part) return 'unknown';
    expect(rewritten(part, new XdrReader(payload)).equals(payload), `${kind} ${procedure}`).toBe(true);
    return kind;
  }
});
