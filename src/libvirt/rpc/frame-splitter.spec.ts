import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, MAX_FRAME_BYTES, PROGRAM, readHeader, STATUS, TYPE } from './frame.js';
import { FrameSplitter } from './frame-splitter.js';
import { ProtocolError } from './protocol-error.js';

const CALL = {
  program: PROGRAM.remote,
  version: 1,
  procedure: 1,
  type: TYPE.call,
  serial: 1,
  status: STATUS.ok,
};

function frameOf(payload: Buffer, type: number = TYPE.call): Buffer {
  return encodeFrame({ ...CALL, type }, payload);
}

function lengthWord(length: number): Buffer {
  const word = Buffer.alloc(4);
  word.writeUInt32BE(length);
  return word;
}

/** A frame that brings so many descriptors, and the bytes that carry them. */
function frameWithDescriptors(count: number): Buffer {
  const frame = frameOf(lengthWord(count), TYPE.callWithFds);
  return Buffer.concat([frame, Buffer.alloc(count, 0xff)]);
}

function byteByByte(splitter: FrameSplitter, stream: Buffer): Buffer[] {
  return Array.from(stream).flatMap((byte) => splitter.push(Buffer.from([byte])));
}

describe('cutting a stream into frames', () => {
  it('gives the same frames however the stream is cut into chunks', () => {
    const payloads = fc.array(fc.uint8Array({ maxLength: 200 }), { maxLength: 8 });
    const cuts = fc.array(fc.nat({ max: 2_000 }), { maxLength: 20 });
    fc.assert(
      fc.property(payloads, cuts, (payloads, cuts) => {
        const frames = payloads.map((payload) => frameOf(Buffer.from(payload)));
        const stream = Buffer.concat(frames);
        const edges = [
          0,
          ...cuts.filter((cut) => cut < stream.length).toSorted((a, b) => a - b),
          stream.length,
        ];
        const splitter = new FrameSplitter();
        const found = edges
          .slice(1)
          .flatMap((end, index) => splitter.push(stream.subarray(edges[index], end)));
        expect(found).toEqual(frames);
      }),
    );
  });

  it('keeps each frame as it was while later ones are read', () => {
    const splitter = new FrameSplitter();
    const [first, second] = [frameOf(Buffer.from('first')), frameOf(Buffer.from('other'))];
    const found = byteByByte(splitter, Buffer.concat([first, second]));
    expect(found).toEqual([first, second]);
  });

  it('takes the largest frame byte by byte without copying it again and again', () => {
    const frame = frameOf(Buffer.alloc(MAX_FRAME_BYTES - 28));
    const splitter = new FrameSplitter();
    const began = performance.now();
    const found: Buffer[] = [];
    for (let at = 0; at < frame.length; at += 16) found.push(...splitter.push(frame.subarray(at, at + 16)));

    expect(found).toHaveLength(1);
    expect(found[0]!.equals(frame)).toBe(true);
    // Two million chunks: copying the frame for each would take an hour.
    expect(performance.now() - began).toBeLessThan(20_000);
  });

  it('keeps no more memory for a frame than has come of it', () => {
    const before = process.memoryUsage().arrayBuffers;
    const splitters = Array.from({ length: 200 }, () => new FrameSplitter());
    for (const splitter of splitters) splitter.push(lengthWord(MAX_FRAME_BYTES));
    expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
    expect(splitters).toHaveLength(200);
  });

  it.each([0, 4, 27, MAX_FRAME_BYTES + 1, 0xffff_ffff])('refuses a length of %i', (length) => {
    expect(() => new FrameSplitter().push(lengthWord(length))).toThrow(ProtocolError);
    const splitter = new FrameSplitter();
    splitter.push(lengthWord(length).subarray(0, 3));
    expect(() => splitter.push(lengthWord(length).subarray(3))).toThrow(ProtocolError);
  });

  it('drops the byte that comes with each file descriptor', () => {
    const next = frameOf(Buffer.from('next'));
    const splitter = new FrameSplitter();
    const found = byteByByte(splitter, Buffer.concat([frameWithDescriptors(2), next]));
    expect(found.map((frame) => readHeader(frame).type)).toEqual([TYPE.callWithFds, TYPE.call]);
    expect(found[1]).toEqual(next);
  });

  it('refuses more descriptors than libvirt takes', () => {
    expect(new FrameSplitter().push(frameWithDescriptors(32))).toHaveLength(1);
    expect(() => new FrameSplitter().push(frameWithDescriptors(33))).toThrow(ProtocolError);
    expect(() => new FrameSplitter().push(frameOf(Buffer.alloc(0), TYPE.callWithFds))).toThrow(ProtocolError);
  });
});
