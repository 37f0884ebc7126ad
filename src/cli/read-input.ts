import { open } from 'node:fs/promises';
import { LocatedError } from '../located-error.js';
import { decodeXml, MAX_DOCUMENT_BYTES } from '../domain-xml/xml-reader.js';

/**
 * Reads a document from a file, or from standard input for `-`; never more than a document may be large.
 *
 * @throws LocatedError where it cannot be read, is too large, or is not UTF-8
 */
export async function readDocument(path: string): Promise<string> {
  return decodeXml(await readBytes(path, MAX_DOCUMENT_BYTES + 1));
}

/** Reads at most `limit` bytes of a file or of standard input (`-`). */
export async function readBytes(path: string, limit: number): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  let size = 0;
  try {
    const stream = path === '-' ? process.stdin : (await open(path)).createReadStream();
    for await (const chunk of stream) {
      chunks.push(chunk as Uint8Array);
      size += (chunk as Uint8Array).length;
      if (size >= limit) break;
    }
  } catch (error) {
    throw new LocatedError(
      error instanceof Error ? error.message : String(error),
      path,
      'Name a file that can be read, or - for standard input.',
    );
  }
  return Buffer.concat(chunks).subarray(0, limit);
}
