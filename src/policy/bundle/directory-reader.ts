import { constants, type Dirent } from 'node:fs';
import { open, readdir, realpath } from 'node:fs/promises';
import { join, sep } from 'node:path';
import { LocatedError } from '../../located-error.js';
import {
  BUNDLE_FOLDERS,
  isBundleFile,
  MAX_BUNDLE_FILES,
  MAX_FILE_BYTES,
  TEST_DEPTH,
  type BundleReader,
} from './bundle-files.js';

/**
 * A bundle in a directory. Symbolic links are followed as long as they stay inside: Kubernetes swaps a mounted ConfigMap by
 * such a link. What the links lead to is settled by `list`, so that a swap meanwhile mixes nothing.
 */
export class DirectoryReader implements BundleReader {
  private readonly resolved = new Map<string, string>();

  /** @param place as messages name the directory; by default its path */
  constructor(
    readonly directory: string,
    readonly place = directory,
  ) {}

  async list(): Promise<readonly string[]> {
    this.resolved.clear();
    const root = await orRefuse(this.place, () => realpath(this.directory));
    const paths = [
      ...(await this.filesIn('', 0)),
      ...(await Promise.all(BUNDLE_FOLDERS.map((folder) => this.filesIn(folder, 0)))).flat(),
    ].filter(isBundleFile);
    if (paths.length > MAX_BUNDLE_FILES) {
      const problem = `${paths.length} files are more than ${MAX_BUNDLE_FILES}`;
      throw new LocatedError(problem, this.place, 'Merge them.');
    }
    for (const path of paths) {
      const name = this.nameOf(path);
      const real = await orRefuse(name, () => realpath(join(this.directory, path)));
      if (!real.startsWith(root.endsWith(sep) ? root : root + sep)) {
        throw new LocatedError(
          'it is a link to outside of the directory',
          name,
          'Put the file itself there.',
        );
      }
      this.resolved.set(path, real);
    }
    return paths.toSorted();
  }

  /** Reads what `list` has found. */
  async read(path: string): Promise<Buffer> {
    const real = this.resolved.get(path);
    if (real === undefined)
      throw new LocatedError('it does not exist', this.nameOf(path), 'Correct its name.');
    return readFileBounded(real, this.nameOf(path));
  }

  /** The files that the paths led to. */
  get realPaths(): readonly string[] {
    return [...this.resolved.values()];
  }

  private nameOf(path: string): string {
    return join(this.place, path);
  }

  private async filesIn(folder: string, depth: number): Promise<string[]> {
    let entries: Dirent[];
    try {
      entries = await readdir(join(this.directory, folder), { withFileTypes: true });
    } catch (error) {
      // A folder that is none, or is not there, holds no documents.
      const code = codeOf(error);
      if (folder !== '' && (code === 'ENOENT' || code === 'ENOTDIR')) return [];
      throw unreadable(error, this.nameOf(folder));
    }
    const paths: string[] = [];
    for (const entry of entries) {
      const path = folder === '' ? entry.name : `${folder}/${entry.name}`;
      if (entry.isDirectory()) {
        const below = path.startsWith('tests/') && depth < TEST_DEPTH && !entry.name.startsWith('.');
        if (below) paths.push(...(await this.filesIn(path, depth + 1)));
      } else paths.push(path);
    }
    return paths;
  }
}

/**
 * Reads a regular file of at most `MAX_FILE_BYTES`.
 *
 * @param place as messages name it
 * @throws LocatedError
 */
export async function readFileBounded(real: string, place: string): Promise<Buffer> {
  return orRefuse(place, async () => {
    // Without NONBLOCK a pipe in this place would be waited for.
    const file = await open(real, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
    try {
      const stat = await file.stat();
      if (!stat.isFile()) throw new LocatedError('it is not a regular file', place, 'Remove it.');
      const buffer = Buffer.alloc(Math.min(stat.size, MAX_FILE_BYTES) + 1);
      let length = 0;
      for (let got = 1; got > 0 && length < buffer.length; length += got) {
        got = (await file.read(buffer, length, buffer.length - length, length)).bytesRead;
      }
      if (length > MAX_FILE_BYTES) {
        const problem = `it is larger than ${MAX_FILE_BYTES} bytes`;
        throw new LocatedError(problem, place, 'Split it.');
      }
      return buffer.subarray(0, length);
    } finally {
      await file.close();
    }
  });
}

async function orRefuse<T>(place: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    throw error instanceof LocatedError ? error : unreadable(error, place);
  }
}

function unreadable(error: unknown, place: string): LocatedError {
  return new LocatedError(
    `it cannot be read (${codeOf(error)})`,
    place,
    'Check the path and the permissions.',
  );
}

function codeOf(error: unknown): unknown {
  return error instanceof Error && 'code' in error ? error.code : error;
}
