import { HEADER_BYTES, MAX_FDS, MAX_FRAME_BYTES, readHeader, TYPE, type FrameHeader } from '../rpc/frame.js';
import { ProtocolError } from '../rpc/protocol-error.js';

/** A frame that is held back is kept in memory until it is whole: no call that we look at is larger. */
const MAX_HELD_BYTES = 16 * 1024 * 1024;
/** What a held frame gets at first; it grows with what has really come, not with what was announced. */
const INITIAL_CAPACITY = 4096;

/** Where a filter's bytes go. */
export interface FrameSink {
  /** Bytes that go on as they came; they begin and end anywhere. */
  pass(bytes: Buffer): void;
  /** A frame that was asked for. Nothing of it was passed. */
  held(frame: Buffer, header: FrameHeader): void;
}

/**
 * Finds frames in a stream: those that are wanted are held until they are whole, all others pass as they come, without
 * being copied or parsed beyond their header.
 */
export class FrameFilter {
  private header = Buffer.alloc(0);
  private holding: FrameHeader | undefined;
  private frame = Buffer.alloc(0);
  private frameBytes = 0;
  /** Bytes of the present frame that are still to come. */
  private remaining = 0;
  /** Bytes after the present frame that stand for file descriptors; its length does not count them. */
  private descriptors = 0;

  constructor(
    private readonly wanted: (header: FrameHeader) => boolean,
    private readonly sink: FrameSink,
  ) {}

  /** Whether what was passed so far ends with a whole frame, so that another one may be put after it. */
  get atBoundary(): boolean {
    return this.holding !== undefined || this.remaining === 0;
  }

  /** Whether a frame is held that is not whole yet. */
  get waiting(): boolean {
    return this.holding !== undefined || this.header.length > 0;
  }

  /** @throws ProtocolError where a length is none that libvirt could have sent */
  push(chunk: Buffer): void {
    let at = 0;
    let passFrom = 0;
    const passUntil = (end: number) => {
      if (end > passFrom) this.sink.pass(chunk.subarray(passFrom, end));
    };
    while (at < chunk.length) {
      if (this.descriptors > 0) {
        const skipped = Math.min(this.descriptors, chunk.length - at);
        this.descriptors -= skipped;
        at += skipped;
        passFrom = at;
      } else if (this.holding) {
        at += this.hold(chunk.subarray(at, at + this.remaining));
        passFrom = at;
      } else if (this.remaining > 0) {
        const passed = Math.min(this.remaining, chunk.length - at);
        this.remaining -= passed;
        at += passed;
      } else {
        const begun = this.header.length;
        const needed = HEADER_BYTES - begun;
        if (chunk.length - at < needed) {
          // Part of a header: it goes nowhere before it is known what it heads.
          passUntil(at);
          this.header = Buffer.concat([this.header, chunk.subarray(at)]);
          return;
        }
        const whole =
          begun === 0
            ? chunk.subarray(at, at + HEADER_BYTES)
            : Buffer.concat([this.header, chunk.subarray(at, at + needed)]);
        const header = readHeader(whole);
        refuseImpossible(header);
        if (this.wanted(header)) {
          passUntil(at);
          this.header = Buffer.alloc(0);
          at += needed;
          passFrom = at;
          this.beginHolding(header, whole);
        } else {
          if (begun > 0) {
            this.header = Buffer.alloc(0);
            this.sink.pass(whole);
            passFrom = at + needed;
          }
          at += needed;
          this.remaining = header.length - HEADER_BYTES;
        }
      }
    }
    passUntil(chunk.length);
  }

  private beginHolding(header: FrameHeader, bytes: Buffer): void {
    if (header.length > MAX_HELD_BYTES) {
      throw new ProtocolError(`a call of ${header.length} bytes is larger than any that carries XML`);
    }
    this.holding = header;
    this.frame = Buffer.allocUnsafe(Math.min(header.length, INITIAL_CAPACITY));
    this.frameBytes = 0;
    this.remaining = header.length;
    this.hold(bytes);
  }

  private hold(bytes: Buffer): number {
    this.reserve(this.frameBytes + bytes.length);
    bytes.copy(this.frame, this.frameBytes);
    this.frameBytes += bytes.length;
    this.remaining -= bytes.length;
    if (this.remaining === 0) this.release();
    return bytes.length;
  }

  /** Doubling keeps the copying linear in the length of the frame, and a chunk of one byte cheap. */
  private reserve(bytes: number): void {
    if (bytes <= this.frame.length) return;
    const grown = Buffer.allocUnsafe(Math.min(Math.max(bytes, 2 * this.frame.length), this.holding!.length));
    this.frame.copy(grown, 0, 0, this.frameBytes);
    this.frame = grown;
  }

  private release(): void {
    const header = this.holding!;
    const frame = this.frame.subarray(0, this.frameBytes);
    this.holding = undefined;
    this.frame = Buffer.alloc(0);
    if (header.type === TYPE.callWithFds || header.type === TYPE.replyWithFds) {
      this.descriptors = descriptorsOf(frame);
    }
    this.sink.held(frame, header);
  }
}

function refuseImpossible({ length }: FrameHeader): void {
  if (length < HEADER_BYTES || length > MAX_FRAME_BYTES) {
    throw new ProtocolError(`a frame cannot be ${length} bytes long`);
  }
}

/** Frames with descriptors begin with their number; each comes with one byte after the frame (`virNetSocketSendFD`). */
function descriptorsOf(frame: Buffer): number {
  const count = frame.length >= HEADER_BYTES + 4 ? frame.readUInt32BE(HEADER_BYTES) : MAX_FDS + 1;
  if (count > MAX_FDS) throw new ProtocolError('a frame announces more file descriptors than libvirt takes');
  return count;
}
