import { constants } from 'node:fs';
import { open, readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { LocatedError } from '../located-error.js';
import type { DocumentFile } from './validated-document.js';

/** Bytes of one file. */
const MAX_FILE_BYTES = 1024 * 1024;

/** Bytes of all files together. */
const MAX_BYTES = 8 * MAX_FILE_BYTES;

const MAX_FILES = 256;

/**
 * Reads `*.yaml` and `*.yml` of one directory, without sub-directories, in the order of their names. Names that begin
 * with a dot are left out: Kubernetes keeps the versions of a mounted ConfigMap in such directories, and the symbolic
 * links that it puts beside them are followed, as long as they stay inside the directory.
 *
 * @throws LocatedError where the directory or a file cannot be read, there is none, or they are too large or too many
 */
export async function readYamlDirectory(directory: string): Promise<DocumentFile[]> {
  const [root, all] = await orRefuse(directory, () => Promise.all([realpath(directory), readdir(directory)]));
  const names = all.filter((name) => /^[^.].*\.ya?ml$/.test(name)).toSorted();
  if (names.length === 0) {
    // Without documents every device would silently pass.
    throw new LocatedError('no *.yaml file is here', directory, 'Name a directory with documents.');
  }
  if (names.length > MAX_FILES) {
    const problem = `${names.length} files are more than ${MAX_FILES}`;
    throw new LocatedError(problem, directory, 'Merge them.');
  }
  const files: DocumentFile[] = [];
  let left = MAX_BYTES;
  for (const name of names) {
    const path = join(directory, name);
    const bytes = await readBounded(path, root, Math.min(left, MAX_FILE_BYTES));
    left -= bytes.length;
    files.push({ file: path, text: decode(bytes, path) });
  }
  return files;
}

async function readBounded(path: string, root: string, limit: number): Promise<Buffer> {
  return orRefuse(path, async () => {
    const real = await realpath(path);
    if (!real.startsWith(root.endsWith(sep) ? root : root + sep)) {
      throw new LocatedError('it is a link to outside of the directory', path, 'Put the file itself there.');
    }
    // Without NONBLOCK a pipe in this place would be waited for.
    const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      if (!(await file.stat()).isFile()) {
        throw new LocatedError('it is not a regular file', path, 'Remove it.');
      }
      const buffer = Buffer.alloc(limit + 1);
      let length = 0;
      for (let got = 1; got > 0 && length < buffer.length; length += got) {
        got = (await file.read(buffer, length, buffer.length - length, length)).bytesRead;
      }
      if (length > limit) {
        const problem = `it is larger than ${limit} bytes (${MAX_BYTES} for all files together)`;
        throw new LocatedError(problem, path, 'Split it, or remove some.');
      }
      return buffer.subarray(0, length);
    } finally {
      await file.close();
    }
  });
}

function decode(bytes: Buffer, path: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new LocatedError('it is not valid UTF-8', `${path}:1:1`, 'Convert it to UTF-8.');
  }
}

async function orRefuse<T>(path: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    if (error instanceof LocatedError) throw error;
    const code = error instanceof Error && 'code' in error ? error.code : error;
    throw new LocatedError(`it cannot be read (${code})`, path, 'Check the path and the permissions.');
  }
}
