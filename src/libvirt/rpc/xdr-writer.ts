import { MAX_STRING_BYTES } from './frame.js';
import { ProtocolError } from './protocol-error.js';

const INITIAL_CAPACITY = 256;
const LONE_SURROGATE = /\p{Surrogate}/u;

/** Writes XDR (RFC 4506). Numbers out of their type's range throw Node's RangeError: they are the caller's mistake. */
export class XdrWriter {
  private buffer = Buffer.allocUnsafe(INITIAL_CAPACITY);
  private bytes = 0;

  /** What was written so far: a view, good until more is written. */
  finish(): Buffer {
    return this.buffer.subarray(0, this.bytes);
  }

  u32(value: number): void {
    const at = this.advance(4);
    this.buffer.writeUInt32BE(value, at);
  }

  i32(value: number): void {
    const at = this.advance(4);
    this.buffer.writeInt32BE(value, at);
  }

  /** `unsigned hyper` */
  u64(value: bigint): void {
    const at = this.advance(8);
    this.buffer.writeBigUInt64BE(value, at);
  }

  /** `hyper` */
  i64(value: bigint): void {
    const at = this.advance(8);
    this.buffer.writeBigInt64BE(value, at);
  }

  f64(value: number): void {
    const at = this.advance(8);
    this.buffer.writeDoubleBE(value, at);
  }

  bool(value: boolean): void {
    this.u32(value ? 1 : 0);
  }

  /** Bytes of a length that both sides know. */
  fixedOpaque(value: Buffer): void {
    const padding = -value.length & 3;
    const at = this.advance(value.length + padding);
    value.copy(this.buffer, at);
    this.buffer.fill(0, at + value.length, at + value.length + padding);
  }

  /** @throws ProtocolError where there are more bytes than the other side takes */
  opaque(value: Buffer, maxBytes: number): void {
    if (value.length > maxBytes) {
      throw new ProtocolError(`a length of ${value.length} is above the limit of ${maxBytes}`);
    }
    this.u32(value.length);
    this.fixedOpaque(value);
  }

  /** @throws ProtocolError where the other side could not read the same string */
  string(value: string, maxBytes = MAX_STRING_BYTES): void {
    if (value.includes('\0')) throw new ProtocolError('a string has a zero byte in it');
    if (LONE_SURROGATE.test(value))
      throw new ProtocolError('a string is not Unicode: half of a pair is missing');
    this.opaque(Buffer.from(value, 'utf8'), maxBytes);
  }

  optional<T>(value: T | undefined, write: (value: T) => void): void {
    this.bool(value !== undefined);
    if (value !== undefined) write(value);
  }

  /** @throws ProtocolError where there are more elements than the other side takes */
  array<T>(elements: readonly T[], maxLength: number, writeElement: (element: T) => void): void {
    if (elements.length > maxLength) {
      throw new ProtocolError(`a length of ${elements.length} is above the limit of ${maxLength}`);
    }
    this.u32(elements.length);
    for (const element of elements) writeElement(element);
  }

  private advance(bytes: number): number {
    const start = this.bytes;
    const end = start + bytes;
    if (end > this.buffer.length) {
      const grown = Buffer.allocUnsafe(Math.max(end, 2 * this.buffer.length));
      this.buffer.copy(grown, 0, 0, start);
      this.buffer = grown;
    }
    this.bytes = end;
    return start;
  }
}
