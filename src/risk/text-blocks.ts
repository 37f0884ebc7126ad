import { deflateRawSync, inflateRawSync } from 'node:zlib';
import { GrowingBytes } from './growing-bytes.js';

/** Texts one after the other, compressed in blocks: entries of a fleet say much the same, and few are ever looked up. */
export interface TextBlocks {
  compressed: Uint8Array<ArrayBuffer>;
  /** Two numbers a block, ascending: where it begins in all texts together, and where in `compressed`. */
  begins: Uint32Array<ArrayBuffer>;
}

/** Bytes of text in a block, more where a single text is longer: read in well under a millisecond. */
const BLOCK_BYTES = 8 * 1024;

/** Collects texts; none is in two blocks. */
export class TextBlockWriter {
  private readonly compressed = new GrowingBytes();
  private readonly begins: number[] = [];
  private block: Uint8Array[] = [];
  private blockLength = 0;
  private total = 0;

  /** @returns where the text begins and ends in all of them together */
  append(text: Uint8Array): [begin: number, end: number] {
    const begin = this.total;
    this.block.push(text);
    this.blockLength += text.length;
    this.total += text.length;
    if (this.blockLength >= BLOCK_BYTES) this.closeBlock();
    return [begin, this.total];
  }

  finish(): TextBlocks {
    this.closeBlock();
    return { compressed: this.compressed.slice(), begins: Uint32Array.from(this.begins) };
  }

  private closeBlock(): void {
    if (this.block.length === 0) return;
    this.begins.push(this.total - this.blockLength, this.compressed.length);
    this.compressed.append(deflateRawSync(Buffer.concat(this.block)));
    this.block = [];
    this.blockLength = 0;
  }
}

/** Reads texts again. What lies close to the one before costs no decompression. */
export class TextBlockReader {
  private last: { begin: number; end: number; bytes: Buffer } | undefined;

  constructor(private readonly blocks: TextBlocks) {}

  /** @param begin as the writer's `append` returned it, like `end` */
  read(begin: number, end: number): string {
    if (!this.last || begin < this.last.begin || end > this.last.end) this.last = this.inflate(begin);
    const { begin: from, bytes } = this.last;
    return bytes.toString('utf8', begin - from, end - from);
  }

  private inflate(position: number): { begin: number; end: number; bytes: Buffer } {
    const { compressed, begins } = this.blocks;
    let [from, to] = [0, begins.length / 2];
    while (from + 1 < to) {
      const middle = (from + to) >> 1;
      if (begins[2 * middle]! <= position) from = middle;
      else to = middle;
    }
    const [begin, at, , next] = begins.subarray(2 * from, 2 * from + 4);
    const bytes = inflateRawSync(compressed.subarray(at, next));
    return { begin: begin!, end: begin! + bytes.length, bytes };
  }
}
