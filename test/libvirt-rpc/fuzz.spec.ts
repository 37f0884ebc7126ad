import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { describe, expect, it } from 'vitest';
import { DOMAIN_EVENTS, NETWORK_EVENTS } from '../../src/libvirt/rpc/events.js';
import { encodeFrame, HEADER_BYTES, PROGRAM, readHeader, TYPE } from '../../src/libvirt/rpc/frame.js';
import { FrameSplitter } from '../../src/libvirt/rpc/frame-splitter.js';
import { decodeError, encodeError, LibvirtError } from '../../src/libvirt/rpc/libvirt-error.js';
import { PROCEDURE } from '../../src/libvirt/rpc/procedures.js';
import { ProtocolError } from '../../src/libvirt/rpc/protocol-error.js';
import { readTypedParameter, writeDomainRef, writeTypedParameter } from '../../src/libvirt/rpc/types.js';
import { XdrReader } from '../../src/libvirt/rpc/xdr-reader.js';
import { XdrWriter } from '../../src/libvirt/rpc/xdr-writer.js';

const FRAMES = Number(process.env['FUZZ_FRAMES'] ?? 1_000_000);
const SEED = Number(process.env['FUZZ_SEED'] ?? 1);
const FRAMES_PER_STREAM = 20;
/** Before it are the length and the type, which decide where the next frame begins. */
const TYPE_END = 20;

setFlagsFromString('--expose-gc');
const collectGarbage = runInNewContext('gc') as () => void;

/** mulberry32: the same run for the same seed. */
function randomNumbers(seed: number): (below: number) => number {
  let state = seed;
  return (below) => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return Math.floor((((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32) * below);
  };
}

const DOMAIN = { name: 'fuzzed', uuid: '11111111-2222-3333-4444-555555555555', id: 7 };

function payload(write: (writer: XdrWriter) => void): Buffer {
  const writer = new XdrWriter();
  write(writer);
  return Buffer.from(writer.finish());
}

/** What libvirt might send, to begin with. */
const PAYLOADS = [
  Buffer.alloc(0),
  encodeError(
    new LibvirtError({ code: 42, domain: 10, message: 'Domain not found', str1: 'Domain not found' }),
  ),
  payload((writer) => writeDomainRef(writer, DOMAIN)),
  payload((writer) => writer.string(`<domain>${'x'.repeat(300)}</domain>`)),
  payload((writer) => {
    writer.array([DOMAIN, DOMAIN, DOMAIN], 3, (domain) => writeDomainRef(writer, domain));
    writer.u32(3);
  }),
  payload((writer) => {
    writer.i32(0);
    writeDomainRef(writer, DOMAIN);
    writer.string('hostdev0');
  }),
  payload((writer) => {
    writer.u32(3);
    writeTypedParameter(writer, { field: 'weight', type: 'ullong', value: 2n ** 60n });
    writeTypedParameter(writer, { field: 'share', type: 'double', value: 0.5 });
    writeTypedParameter(writer, { field: 'name', type: 'string', value: 'abc' });
  }),
];

const DECODERS: readonly ((payload: Buffer) => unknown)[] = [
  decodeError,
  ...Object.values(PROCEDURE).map(
    ({ read }) =>
      (bytes: Buffer) =>
        whole(bytes, read),
  ),
  ...[...DOMAIN_EVENTS, ...NETWORK_EVENTS].map(
    ({ read }) =>
      (bytes: Buffer) =>
        whole(bytes, (reader) => [reader.i32(), read(reader)]),
  ),
  (bytes) => whole(bytes, (reader) => reader.array(64, () => readTypedParameter(reader))),
];

function whole(bytes: Buffer, read: (reader: XdrReader) => unknown): void {
  const reader = new XdrReader(bytes);
  read(reader);
  reader.end();
}

const NASTY_WORDS = [
  0,
  1,
  3,
  27,
  28,
  0x7fff_ffff,
  0x8000_0000,
  0xffff_ffff,
  4 * 1024 * 1024 + 1,
  32 * 1024 * 1024 + 5,
];
/** Descriptors change where the next frame begins: they are among what breaks the framing. */
const TYPES = [TYPE.call, TYPE.reply, TYPE.message, TYPE.stream, TYPE.streamHole];
const PROGRAMS = Object.values(PROGRAM);

class Fuzzer {
  constructor(private readonly below: (limit: number) => number) {}

  /** Frames one after the other, as one connection brings them; where one lies about its length, framing is lost there. */
  stream(): Buffer {
    const frames = Array.from({ length: FRAMES_PER_STREAM }, () => this.mutate(this.frame()));
    const liar = this.below(2 * FRAMES_PER_STREAM);
    if (liar < FRAMES_PER_STREAM) frames[liar] = this.breakFraming(frames[liar]!);
    return Buffer.concat(frames);
  }

  chunks(stream: Buffer): Buffer[] {
    const chunks: Buffer[] = [];
    for (let at = 0; at < stream.length;) {
      const length = 1 + this.below(this.below(4) === 0 ? 8 : 4_000);
      chunks.push(stream.subarray(at, at + length));
      at += length;
    }
    return chunks;
  }

  /** How many of the decoders that were tried could read it. */
  decode(frame: Buffer): number {
    const bytes = frame.subarray(HEADER_BYTES);
    return [0, 1, 2].filter(() => onlyProtocolErrors(() => this.pick(DECODERS)(bytes))).length;
  }

  private frame(): Buffer {
    const unknown = this.below(20) === 0;
    return encodeFrame(
      {
        program: unknown ? this.below(2 ** 32) : this.pick(PROGRAMS),
        version: 1,
        procedure: this.below(500),
        type: unknown ? this.below(2 ** 31) : this.pick(TYPES),
        serial: this.below(2 ** 32),
        status: this.below(3),
      },
      this.pick(PAYLOADS),
    );
  }

  /** Another content, of the length that the frame says. */
  private mutate(frame: Buffer): Buffer {
    switch (this.below(5)) {
      case 0: {
        // The status, or a word of the payload.
        const word = HEADER_BYTES - 4 + 4 * this.below((frame.length - HEADER_BYTES) / 4 + 1);
        frame.writeUInt32BE(this.pick(NASTY_WORDS), word);
        return frame;
      }
      case 1:
        for (let flips = this.below(8); flips >= 0; flips -= 1) {
          frame[TYPE_END + this.below(frame.length - TYPE_END)] = this.below(256);
        }
        return frame;
      case 2: {
        const cut = frame.subarray(0, HEADER_BYTES + this.below(frame.length - HEADER_BYTES + 1));
        cut.writeUInt32BE(cut.length, 0);
        return cut;
      }
      case 3: {
        const more = Buffer.concat([frame, Buffer.alloc(this.below(16), this.below(256))]);
        more.writeUInt32BE(more.length, 0);
        return more;
      }
      default:
        return frame;
    }
  }

  private breakFraming(frame: Buffer): Buffer {
    switch (this.below(5)) {
      case 0:
        frame.writeUInt32BE(this.pick(NASTY_WORDS), 0);
        return frame;
      case 1:
        frame.writeInt32BE(this.below(2) ? TYPE.callWithFds : TYPE.replyWithFds, 16);
        return frame;
      case 2:
        frame.writeUInt32BE(Math.max(0, frame.length + this.below(64) - 32), 0);
        return frame;
      case 3:
        return frame.subarray(0, this.below(frame.length));
      default:
        return Buffer.from(Array.from({ length: this.below(64) }, () => this.below(256)));
    }
  }

  private pick<T>(values: readonly T[]): T {
    return values[this.below(values.length)]!;
  }
}

/** Whether it went well; any error but ProtocolError is the test's failure. */
function onlyProtocolErrors(run: () => void): boolean {
  try {
    run();
    return true;
  } catch (error) {
    if (error instanceof ProtocolError) return false;
    throw error;
  }
}

function usedBytes(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}

describe('whatever comes over the wire', () => {
  it(`is read or refused: ${FRAMES} mutated frames`, { timeout: 300_000 }, () => {
    const fuzzer = new Fuzzer(randomNumbers(SEED));
    const tally = { sent: 0, split: 0, refusedStreams: 0, decoded: 0 };
    let settled = 0;

    while (tally.sent < FRAMES) {
      const splitter = new FrameSplitter();
      const taken = onlyProtocolErrors(() => {
        for (const chunk of fuzzer.chunks(fuzzer.stream())) {
          for (const frame of splitter.push(chunk)) {
            if (readHeader(frame).length !== frame.length)
              throw new Error('a frame is not as long as it says');
            tally.split += 1;
            tally.decoded += fuzzer.decode(frame);
          }
        }
      });
      if (!taken) tally.refusedStreams += 1;
      tally.sent += FRAMES_PER_STREAM;
      if (settled === 0 && tally.sent >= FRAMES / 10) settled = usedBytes();
    }

    console.log(`fuzzed: ${JSON.stringify(tally)}`);
    expect(tally.decoded).toBeGreaterThan(FRAMES / 20);
    expect(tally.split).toBeGreaterThan(FRAMES / 2);
    expect(usedBytes() - settled).toBeLessThan(16 * 1024 * 1024);
  });
});
