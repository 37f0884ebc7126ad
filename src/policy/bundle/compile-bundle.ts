import { realpath } from 'node:fs/promises';
import { join } from 'node:path';
import { LocatedError, LocatedErrors, refusalsOf } from '../../located-error.js';
import { BundleCompiler, type CompiledBundle } from './bundle-compiler.js';
import { isDocument, MAX_BUNDLE_BYTES, type BundleReader } from './bundle-files.js';
import { DirectoryReader } from './directory-reader.js';

/**
 * Makes policies and a risk database of a bundle.
 *
 * @param baseRisks risk entries that the bundle's own are added to
 * @throws LocatedError, LocatedErrors: all that were found
 */
export async function compileBundle(reader: BundleReader, baseRisks?: BundleReader): Promise<CompiledBundle> {
  const compiler = new BundleCompiler();
  const refused: LocatedError[] = [];
  let bytes = 0;
  const read = async (from: BundleReader, path: string) => {
    try {
      const content = await from.read(path);
      bytes += content.length;
      if (bytes > MAX_BUNDLE_BYTES) throw tooLarge(reader);
      return decode(content, join(from.place, path));
    } catch (error) {
      const problems = refusalsOf(error);
      if (!problems || bytes > MAX_BUNDLE_BYTES) throw error;
      refused.push(...problems);
      return undefined;
    }
  };

  const documents = (await reader.list()).filter(isDocument);
  if (documents.length === 0) {
    // Without documents every device would silently pass.
    throw new LocatedError('no *.yaml file is here', reader.place, 'Name a directory with documents.');
  }
  for (const path of documents) {
    const text = await read(reader, path);
    if (text !== undefined) compiler.add({ file: join(reader.place, path), path, text });
  }
  const base = await documentsOfRoot(baseRisks);
  for (const path of base) {
    const text = await read(baseRisks!, path);
    if (text !== undefined) compiler.addBaseRisks({ file: join(baseRisks!.place, path), text });
  }
  if (refused.length === 0) return compiler.finish();
  try {
    compiler.finish();
  } catch (error) {
    throw new LocatedErrors([...refused, ...(refusalsOf(error) ?? [])]);
  }
  throw new LocatedErrors(refused);
}

async function documentsOfRoot(reader: BundleReader | undefined): Promise<readonly string[]> {
  if (!reader) return [];
  const paths = (await reader.list()).filter((path) => isDocument(path) && !path.includes('/'));
  if (paths.length > 0) return paths;
  throw new LocatedError('no *.yaml file is here', reader.place, 'Name a directory with risk entries.');
}

function tooLarge({ place }: BundleReader): LocatedError {
  return new LocatedError(
    `the documents are larger than ${MAX_BUNDLE_BYTES} bytes together`,
    place,
    'Remove some.',
  );
}

function decode(bytes: Buffer, place: string): string {
  try {
    return new TextDecoder('utf-8', { fatal: true }).decode(bytes);
  } catch {
    throw new LocatedError('it is not valid UTF-8', `${place}:1:1`, 'Convert it to UTF-8.');
  }
}

/**
 * Makes policies and a risk database of a directory.
 *
 * @param risks directory with the entries that the bundle's own are added to, which may be the bundle's own
 */
export async function compileDirectory(directory: string, risks?: string): Promise<CompiledBundle> {
  return compileBundle(new DirectoryReader(directory), await baseRisksOf(directory, risks));
}

/** Entries that a bundle builds upon; none where they are the bundle's own folder. */
export async function baseRisksOf(
  directory: string,
  risks: string | undefined,
): Promise<DirectoryReader | undefined> {
  if (risks === undefined) return undefined;
  const [own, base] = await Promise.all([resolved(join(directory, 'risks')), resolved(risks)]);
  return own === base ? undefined : new DirectoryReader(risks);
}

async function resolved(path: string): Promise<string> {
  return realpath(path).catch(() => path);
}
