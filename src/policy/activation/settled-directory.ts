import { LocatedError } from '../../located-error.js';
import { DirectoryReader } from '../bundle/directory-reader.js';

/** Attempts; a swap takes far less time than one. */
const ATTEMPTS = 5;

/**
 * Works on a directory that may be swapped meanwhile, by a symbolic link or file by file: what was read counts only if the
 * paths lead to the same files afterwards.
 *
 * @throws what `work` throws, where the directory did not change meanwhile
 */
export async function readSettled<T>(
  directory: string,
  work: (reader: DirectoryReader) => Promise<T>,
): Promise<T> {
  for (let attempt = 1; ; attempt += 1) {
    const reader = new DirectoryReader(directory);
    let result: T;
    let failure: unknown;
    try {
      result = await work(reader);
    } catch (error) {
      failure = error;
    }
    const before = reader.realPaths.toSorted().join('\n');
    const again = new DirectoryReader(directory);
    const after = await again.list().then(
      () => again.realPaths.toSorted().join('\n'),
      () => undefined,
    );
    if (before === after || attempt === ATTEMPTS) {
      if (failure !== undefined) throw failure;
      if (before !== after) {
        throw new LocatedError(
          'it changes all the time',
          directory,
          'Swap it as a whole, by a symbolic link.',
        );
      }
      return result!;
    }
  }
}
