/** Bytes that the buffer grows by. */
const GROWTH = 2 ** 20;
/** Bytes of address space, not of memory: that many never come, since a bundle is smaller (`MAX_BUNDLE_BYTES`). */
const MAX_BYTES = 2 ** 30;

/** A buffer that grows where it lies: while it does, there is no second one that it is copied to. */
export class GrowingBytes {
  private readonly bytes = new Uint8Array(new ArrayBuffer(0, { maxByteLength: MAX_BYTES }));
  private used = 0;

  get length(): number {
    return this.used;
  }

  append(more: Uint8Array): void {
    const end = this.used + more.length;
    if (end > this.bytes.length) this.bytes.buffer.resize(Math.ceil(end / GROWTH) * GROWTH);
    this.bytes.set(more, this.used);
    this.used = end;
  }

  /** A view, which is good until more is appended. */
  slice(from = 0, to = this.used): Uint8Array<ArrayBuffer> {
    return this.bytes.subarray(from, to);
  }
}
