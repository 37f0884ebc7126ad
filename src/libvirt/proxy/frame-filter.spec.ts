import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { encodeFrame, HEADER_BYTES, PROGRAM, TYPE, type FrameHeader } from '../rpc/frame.js';
import { FrameFilter } from './frame-filter.js';

const DEFINE = 11;
const DESCRIPTOR_BYTE = 0xff;

function frameOf(procedure: number, payload: Buffer, type: number = TYPE.call): Buffer {
  return encodeFrame({ program: PROGRAM.remote, version: 1, procedure, type, serial: 1, status: 0 }, payload);
}

/** Runs chunks through a filter that holds definitions and whatever brings descriptors. */
function filtered(chunks: readonly Buffer[]) {
  const out: { kind: 'passed' | 'held'; bytes: Buffer }[] = [];
  const wanted = ({ procedure, type }: FrameHeader) => procedure === DEFINE || type === TYPE.callWithFds;
  const filter = new FrameFilter(wanted, {
    pass: (bytes) => out.push({ kind: 'passed', bytes: Buffer.from(bytes) }),
    held: (bytes) => out.push({ kind: 'held', bytes: Buffer.from(bytes) }),
  });
  for (const chunk of chunks) filter.push(chunk);
  return {
    filter,
    all: Buffer.concat(out.map(({ bytes }) => bytes)),
    held: out.filter(({ kind }) => kind === 'held').map(({ bytes }) => bytes),
  };
}

function cut(bytes: Buffer, places: readonly number[]): Buffer[] {
  const sorted = [
    0,
    ...places.map((place) => place % (bytes.length + 1)).toSorted((a, b) => a - b),
    bytes.length,
  ];
  return sorted.slice(1).map((end, at) => bytes.subarray(sorted[at], end));
}

const frames = fc.array(
  fc.record({
    procedure: fc.constantFrom(DEFINE, 14, 157),
    payload: fc.uint8Array({ maxLength: 200 }).map((bytes) => Buffer.from(bytes)),
    descriptors: fc.option(fc.integer({ min: 0, max: 32 }), { nil: undefined }),
  }),
  { maxLength: 12 },
);

describe('the frame filter', () => {
  it('passes and holds every byte in order but those of descriptors, however the stream is cut', () => {
    fc.assert(
      fc.property(frames, fc.array(fc.nat(), { maxLength: 40 }), (given, places) => {
        const encoded = given.map(({ procedure, payload, descriptors }) => {
          if (descriptors === undefined)
            return { frame: frameOf(procedure, payload), held: procedure === DEFINE, after: 0 };
          const count = Buffer.alloc(4);
          count.writeUInt32BE(descriptors);
          const frame = frameOf(procedure, Buffer.concat([count, payload]), TYPE.callWithFds);
          return { frame, held: true, after: descriptors };
        });
        const stream = Buffer.concat(
          encoded.flatMap(({ frame, after }) => [frame, Buffer.alloc(after, DESCRIPTOR_BYTE)]),
        );
        const { all, held, filter } = filtered(cut(stream, places));

        expect(all).toEqual(Buffer.concat(encoded.map(({ frame }) => frame)));
        expect(held).toEqual(encoded.filter((one) => one.held).map(({ frame }) => frame));
        expect(filter.atBoundary).toBe(true);
        expect(filter.waiting).toBe(false);
      }),
    );
  });

  it('passes what it does not want before it is whole', () => {
    const frame = frameOf(14, Buffer.alloc(1000, 7));
    const { all, filter } = filtered([frame.subarray(0, 500)]);

    expect(all).toEqual(frame.subarray(0, 500));
    expect(filter.atBoundary).toBe(false);
  });

  it('passes nothing of what it wants, nor of a header that is not whole', () => {
    const frame = frameOf(DEFINE, Buffer.alloc(1000, 7));
    for (const bytes of [1, HEADER_BYTES - 1, HEADER_BYTES, 500]) {
      const { all, filter } = filtered([frame.subarray(0, bytes)]);
      expect(all).toHaveLength(0);
      expect(filter.atBoundary).toBe(true);
      expect(filter.waiting).toBe(true);
    }
  });

  it.each([0, 27, 33 * 1024 * 1024, 0xffff_ffff])('knows that no frame has a length of %i', (length) => {
    const header = Buffer.alloc(HEADER_BYTES);
    header.writeUInt32BE(length);

    expect(() => filtered([header])).toThrow(`a frame cannot be ${length} bytes long`);
  });

  it('holds no call that is larger than any with XML', () => {
    const call = frameOf(DEFINE, Buffer.alloc(16 * 1024 * 1024));
    expect(() => filtered([call.subarray(0, HEADER_BYTES)])).toThrow('is larger than any that carries XML');
    expect(filtered([frameOf(14, Buffer.alloc(16 * 1024 * 1024))]).all).toHaveLength(call.length);
  });

  it('takes no more descriptors than libvirt does', () => {
    const count = Buffer.alloc(4);
    count.writeUInt32BE(33);

    expect(() => filtered([frameOf(249, count, TYPE.callWithFds)])).toThrow('more file descriptors');
  });
});
