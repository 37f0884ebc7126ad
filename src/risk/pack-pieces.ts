import type { RiskPack } from './risk-pack.js';

const BUFFERS = ['compressed', 'begins', 'offsets', 'hashes', 'postings'] as const;
type BufferName = (typeof BUFFERS)[number];
/** Bytes that are copied in far less than a millisecond. */
const PIECE_BYTES = 256 * 1024;

/** A part of a pack, for a message between processes; the first says how many bytes all of them are together. */
export type PackPiece =
  | { revision: string; lengths: Record<BufferName, number> }
  | { of: BufferName; at: number; bytes: Uint8Array };

/** A pack in pieces, each to be sent when the one before was taken in. */
export function* piecesOf(pack: RiskPack): Generator<PackPiece> {
  const buffers = buffersOf(pack);
  const lengths = Object.fromEntries(BUFFERS.map((of) => [of, buffers[of].length]));
  yield { revision: pack.revision, lengths: lengths as Record<BufferName, number> };
  for (const of of BUFFERS) {
    for (let at = 0; at < buffers[of].length; at += PIECE_BYTES) {
      // A copy: all of a buffer that a message refers to would go with it.
      yield { of, at, bytes: buffers[of].slice(at, at + PIECE_BYTES) };
    }
  }
}

/** Puts pieces together again. */
export class PackAssembler {
  private pack: RiskPack | undefined;
  private buffers: Record<BufferName, Uint8Array> | undefined;

  add(piece: PackPiece): void {
    if ('revision' in piece) {
      const { compressed, begins, offsets, hashes, postings } = piece.lengths;
      this.pack = {
        revision: piece.revision,
        text: { compressed: new Uint8Array(compressed), begins: numbers(begins) },
        offsets: numbers(offsets),
        hashes: numbers(hashes),
        postings: numbers(postings),
      };
      this.buffers = buffersOf(this.pack);
    } else this.buffers![piece.of].set(piece.bytes, piece.at);
  }

  finish(): RiskPack {
    return this.pack!;
  }
}

function buffersOf({ text, offsets, hashes, postings }: RiskPack): Record<BufferName, Uint8Array> {
  const { compressed, begins } = text;
  return {
    compressed,
    begins: bytesOf(begins),
    offsets: bytesOf(offsets),
    hashes: bytesOf(hashes),
    postings: bytesOf(postings),
  };
}

function numbers(bytes: number): Uint32Array<ArrayBuffer> {
  return new Uint32Array(bytes / Uint32Array.BYTES_PER_ELEMENT);
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
