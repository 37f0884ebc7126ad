import type { RiskPack } from './risk-pack.js';

const BUFFERS = ['text', 'offsets', 'hashes', 'postings'] as const;
/** Bytes that are copied in far less than a millisecond. */
const PIECE_BYTES = 256 * 1024;

/** A part of a pack, for a message between processes; the first says how long all of them are together. */
export type PackPiece =
  | { revision: string; lengths: Record<(typeof BUFFERS)[number], number> }
  | { of: (typeof BUFFERS)[number]; at: number; bytes: Uint8Array };

/** A pack in pieces, each to be sent when the one before was taken in. */
export function* piecesOf(pack: RiskPack): Generator<PackPiece> {
  const { text, offsets, hashes, postings } = pack;
  yield {
    revision: pack.revision,
    lengths: {
      text: text.byteLength,
      offsets: offsets.byteLength,
      hashes: hashes.byteLength,
      postings: postings.byteLength,
    },
  };
  for (const of of BUFFERS) {
    const bytes = bytesOf(pack[of]);
    for (let at = 0; at < bytes.length; at += PIECE_BYTES) {
      // A copy: all of a buffer that a message refers to would go with it.
      yield { of, at, bytes: bytes.slice(at, at + PIECE_BYTES) };
    }
  }
}

/** Puts pieces together again. */
export class PackAssembler {
  private pack: RiskPack | undefined;

  add(piece: PackPiece): void {
    if ('revision' in piece) {
      const { text, offsets, hashes, postings } = piece.lengths;
      this.pack = {
        revision: piece.revision,
        text: new Uint8Array(text),
        offsets: new Uint32Array(offsets / Uint32Array.BYTES_PER_ELEMENT),
        hashes: new Uint32Array(hashes / Uint32Array.BYTES_PER_ELEMENT),
        postings: new Uint32Array(postings / Uint32Array.BYTES_PER_ELEMENT),
      };
    } else bytesOf(this.pack![piece.of]).set(piece.bytes, piece.at);
  }

  finish(): RiskPack {
    return this.pack!;
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: Uint8Array | Uint32Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
