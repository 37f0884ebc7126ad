import { HEADER_BYTES, MAX_FDS, MAX_FRAME_BYTES, TYPE } from './frame.js';
import { ProtocolError } from './protocol-error.js';

const LENGTH_BYTES = 4;
const TYPE_OFFSET = 16;
/** What a frame that is not whole yet gets at first; it grows with what has really come, not with what was announced. */
const INITIAL_CAPACITY = 4096;

/**
 * Cuts a stream of bytes into whole frames. Holds at most one frame that is not whole, in one buffer, whatever the size of
 * the chunks; a frame that is whole within a chunk is not copied.
 *
 * The bytes that carry file descriptors (one each, after the frame, not counted by its length: `virNetSocketSendFD`) are
 * dropped, as Node has dropped the descriptors themselves.
 */
export class FrameSplitter {
  /** The beginning of a frame. */
  private held = Buffer.alloc(0);
  private heldBytes = 0;
  /** Bytes that are still to be dropped. */
  private descriptorBytes = 0;

  /**
   * The frames that this chunk completes, in order.
   *
   * @throws ProtocolError on a length that no frame has, or more descriptors than libvirt takes; the stream has no frames
   * after that, and the splitter is of no more use
   */
  push(chunk: Buffer): Buffer[] {
    const frames: Buffer[] = [];
    let at = 0;
    while (at < chunk.length) {
      if (this.descriptorBytes > 0) {
        const dropped = Math.min(this.descriptorBytes, chunk.length - at);
        this.descriptorBytes -= dropped;
        at += dropped;
        continue;
      }
      const whole = this.heldBytes === 0 ? wholeFrameAt(chunk, at) : undefined;
      at += whole ? whole.length : this.hold(chunk, at);
      const frame = whole ?? this.release();
      if (frame) {
        this.descriptorBytes = descriptorCount(frame);
        frames.push(frame);
      }
    }
    return frames;
  }

  /** Takes what is still wanted of the present frame's length, or of the frame; gives the number of bytes taken. */
  private hold(chunk: Buffer, at: number): number {
    const wanted = this.heldBytes < LENGTH_BYTES ? LENGTH_BYTES : frameLength(this.held, 0);
    const taken = Math.min(wanted - this.heldBytes, chunk.length - at);
    this.reserve(this.heldBytes + taken, wanted);
    chunk.copy(this.held, this.heldBytes, at, at + taken);
    this.heldBytes += taken;
    return taken;
  }

  /** The frame, once it is whole. */
  private release(): Buffer | undefined {
    if (this.heldBytes < LENGTH_BYTES || this.heldBytes < frameLength(this.held, 0)) return undefined;
    const frame = this.held.subarray(0, this.heldBytes);
    this.held = Buffer.alloc(0);
    this.heldBytes = 0;
    return frame;
  }

  /** Doubling keeps the copying linear in the length of the frame. */
  private reserve(bytes: number, frameBytes: number): void {
    if (bytes <= this.held.length) return;
    const doubled = Math.max(bytes, 2 * this.held.length, INITIAL_CAPACITY);
    const grown = Buffer.allocUnsafe(frameBytes > LENGTH_BYTES ? Math.min(doubled, frameBytes) : doubled);
    this.held.copy(grown, 0, 0, this.heldBytes);
    this.held = grown;
  }
}

function wholeFrameAt(chunk: Buffer, at: number): Buffer | undefined {
  if (chunk.length - at < LENGTH_BYTES) return undefined;
  const end = at + frameLength(chunk, at);
  return end <= chunk.length ? chunk.subarray(at, end) : undefined;
}

function frameLength(buffer: Buffer, offset: number): number {
  const length = buffer.readUInt32BE(offset);
  if (length < HEADER_BYTES || length > MAX_FRAME_BYTES) {
    throw new ProtocolError(`a frame cannot be ${length} bytes long`);
  }
  return length;
}

function descriptorCount(frame: Buffer): number {
  const type = frame.readInt32BE(TYPE_OFFSET);
  if (type !== TYPE.callWithFds && type !== TYPE.replyWithFds) return 0;
  if (frame.length < HEADER_BYTES + 4) {
    throw new ProtocolError('a frame with file descriptors does not say how many', HEADER_BYTES);
  }
  const count = frame.readUInt32BE(HEADER_BYTES);
  if (count > MAX_FDS)
    throw new ProtocolError(`a frame cannot bring ${count} file descriptors`, HEADER_BYTES);
  return count;
}
