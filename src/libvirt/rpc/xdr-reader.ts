import { isUtf8 } from 'node:buffer';
import { MAX_STRING_BYTES } from './frame.js';
import { ProtocolError } from './protocol-error.js';

/**
 * Reads XDR (RFC 4506) from a buffer that may say anything: every method throws ProtocolError where the data is cut short or
 * longer than its limit. As libvirt's own reader does, it takes any padding, and any word but zero for true.
 */
export class XdrReader {
  private at: number;

  constructor(
    private readonly buffer: Buffer,
    offset = 0,
  ) {
    this.at = offset;
  }

  /** Of the next byte to be read. */
  get offset(): number {
    return this.at;
  }

  u32(): number {
    return this.buffer.readUInt32BE(this.advance(4));
  }

  i32(): number {
    return this.buffer.readInt32BE(this.advance(4));
  }

  /** `unsigned hyper` */
  u64(): bigint {
    return this.buffer.readBigUInt64BE(this.advance(8));
  }

  /** `hyper` */
  i64(): bigint {
    return this.buffer.readBigInt64BE(this.advance(8));
  }

  f64(): number {
    return this.buffer.readDoubleBE(this.advance(8));
  }

  bool(): boolean {
    return this.u32() !== 0;
  }

  /** Bytes of a length that both sides know; a view of the buffer, not a copy. */
  fixedOpaque(bytes: number): Buffer {
    const start = this.advance(paddedLength(bytes));
    return this.buffer.subarray(start, start + bytes);
  }

  /** Bytes with their length before them; also a string whose encoding must not matter. A view of the buffer. */
  opaque(maxBytes: number): Buffer {
    return this.fixedOpaque(this.count(maxBytes));
  }

  /**
   * A string, kept exactly: bytes that are not UTF-8 are refused, since they could not be written again as they came, and so
   * is a zero byte, since libvirt would see the string end there.
   */
  string(maxBytes = MAX_STRING_BYTES): string {
    const start = this.at;
    const bytes = this.opaque(maxBytes);
    if (!isUtf8(bytes)) this.refuse('a string is not UTF-8', start);
    if (bytes.includes(0)) this.refuse('a string has a zero byte in it', start);
    return bytes.toString('utf8');
  }

  /** A string for people to read, such as an error message with a program's output in it: U+FFFD stands for what is not UTF-8. */
  text(maxBytes = MAX_STRING_BYTES): string {
    return this.opaque(maxBytes).toString('utf8');
  }

  optional<T>(read: () => T): T | undefined {
    return this.bool() ? read() : undefined;
  }

  array<T>(maxLength: number, readElement: () => T): T[] {
    const elements: T[] = [];
    for (let left = this.count(maxLength); left > 0; left -= 1) elements.push(readElement());
    return elements;
  }

  /** A number of bytes or elements that follow. */
  count(max: number): number {
    const start = this.at;
    const count = this.u32();
    return count <= max ? count : this.refuse(`a length of ${count} is above the limit of ${max}`, start);
  }

  /** @throws ProtocolError where something is left: it was not what it was taken for */
  end(): void {
    if (this.at < this.buffer.length) this.refuse(`${this.buffer.length - this.at} bytes are left over`);
  }

  refuse(problem: string, offset = this.at): never {
    throw new ProtocolError(problem, offset);
  }

  private advance(bytes: number): number {
    const start = this.at;
    if (this.buffer.length - start < bytes) this.refuse('the data is cut short');
    this.at = start + bytes;
    return start;
  }
}

function paddedLength(bytes: number): number {
  return Math.ceil(bytes / 4) * 4;
}
