/**
 * What belongs to a bundle, by its path below the root: documents in the root itself and in four folders, and beside
 * PolicyTests the files that they name. Names that begin with a dot never do.
 */
const DOCUMENT = /^(?:(?:policies|risks|exemptions|tests)\/)?[^./][^/]*\.ya?ml$/;
const TEST_FILE = /^(?:tests\/(?:[^./][^/]*\/){0,3})?[^./][^/]*\.(?:ya?ml|json|xml|txt)$/;

/** Folders that are looked into; below `tests` to a depth of three. */
export const BUNDLE_FOLDERS = ['exemptions', 'policies', 'risks', 'tests'] as const;
export const TEST_DEPTH = 3;

/** Bytes of one file. */
export const MAX_FILE_BYTES = 1024 * 1024;

/** Bytes of all files together: a hundred thousand risk entries need some fifty. */
export const MAX_BUNDLE_BYTES = 96 * MAX_FILE_BYTES;

export const MAX_BUNDLE_FILES = 2000;

export function isBundleFile(path: string): boolean {
  return DOCUMENT.test(path) || TEST_FILE.test(path);
}

export function isDocument(path: string): boolean {
  return /\.ya?ml$/.test(path);
}

/** Where a bundle's files come from. */
export interface BundleReader {
  /** As messages name the root: what stands before a path. */
  readonly place: string;
  /** Paths of all files that belong to the bundle, sorted. @throws LocatedError */
  list(): Promise<readonly string[]>;
  /** @throws LocatedError where the file cannot be read, or is too large */
  read(path: string): Promise<Buffer>;
}
