import { createHash, randomBytes } from 'node:crypto';
import { mkdir, open, readdir, readFile, readlink, rename, rm, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { syncDirectory, writeAtomically } from '../../host/atomic-file.js';
import { LocatedError } from '../../located-error.js';
import { MAX_BUNDLE_BYTES, isDocument, type BundleReader } from '../bundle/bundle-files.js';
import { DirectoryReader } from '../bundle/directory-reader.js';
import type { Provenance } from '../policy-set.js';

/** What is kept beside the documents of a revision. */
export interface RevisionRecord extends Provenance {
  /** SHA-256 over names and bytes of all its files, in hexadecimal. */
  id: string;
  /** What stands before a document's path in messages. */
  place: string;
  /** The same for the risk entries that it builds upon; absent where there are none. */
  basePlace?: string;
  /** ISO 8601, UTC: when it was fetched. */
  fetchedAt: string;
}

const BUNDLE = 'bundle';
const BASE = 'base-risks';
const RECORD = 'revision.json';
const DRAFT = '.draft-';

/**
 * Revisions on disk, each a directory that is complete or not there, and a symbolic link to the one in force. Whoever ends
 * at any moment finds the one before or the new one.
 */
export class RevisionStore {
  private readonly revisions: string;
  private readonly link: string;

  constructor(readonly directory: string) {
    this.revisions = join(directory, 'revisions');
    this.link = join(directory, 'current');
  }

  async open(): Promise<void> {
    await mkdir(this.revisions, { recursive: true, mode: 0o750 });
    await this.removeDrafts();
    for (const name of await readdir(this.directory)) {
      if (name.startsWith('.current-')) await rm(join(this.directory, name), { force: true });
    }
  }

  /** What was begun and not brought to an end. Nobody may be saving meanwhile. */
  async removeDrafts(): Promise<void> {
    for (const name of await readdir(this.revisions)) {
      if (name.startsWith(DRAFT)) await rm(join(this.revisions, name), { recursive: true, force: true });
    }
  }

  /** Copies a bundle, and the entries that it builds upon; one that is here already is left as it is. */
  async save(
    reader: BundleReader,
    base: BundleReader | undefined,
    provenance: Provenance,
    fetchedAt: string,
  ): Promise<RevisionRecord> {
    const draft = join(this.revisions, `${DRAFT}${process.pid}-${randomBytes(6).toString('hex')}`);
    try {
      const digest = createHash('sha256');
      let bytes = 0;
      const copy = async (from: BundleReader, folder: string, paths: readonly string[]) => {
        for (const path of paths) {
          const content = await from.read(path);
          bytes += content.length;
          if (bytes > MAX_BUNDLE_BYTES) {
            const problem = `the documents are larger than ${MAX_BUNDLE_BYTES} bytes together`;
            throw new LocatedError(problem, reader.place || '.', 'Remove some.');
          }
          digest.update(`${folder}/${path}\0${content.length}\0`).update(content);
          await writeSynced(join(draft, folder, path), content);
        }
      };
      const paths = await reader.list();
      if (!paths.some(isDocument)) {
        throw new LocatedError(
          'no *.yaml file is here',
          reader.place || '.',
          'Name a directory with documents.',
        );
      }
      await copy(reader, BUNDLE, paths);
      if (base) {
        const entries = (await base.list()).filter((path) => isDocument(path) && !path.includes('/'));
        await copy(base, BASE, entries);
      }
      const record: RevisionRecord = {
        id: digest.digest('hex'),
        place: reader.place,
        ...(base && { basePlace: base.place }),
        fetchedAt,
        ...provenance,
      };
      const kept = await this.record(record.id);
      if (kept) {
        // The same documents under another commit: what they say of themselves is brought up to date.
        await this.writeRecord(record);
        return record;
      }
      await writeSynced(join(draft, RECORD), JSON.stringify(record, null, 2));
      await rm(this.pathOf(record.id), { recursive: true, force: true });
      await rename(draft, this.pathOf(record.id));
      await syncDirectory(this.revisions);
      return record;
    } finally {
      await rm(draft, { recursive: true, force: true }).catch(() => undefined);
    }
  }

  /** Undefined where there is no such revision, or it is not whole. */
  async record(id: string): Promise<RevisionRecord | undefined> {
    try {
      const record = JSON.parse(await readFile(join(this.pathOf(id), RECORD), 'utf8')) as RevisionRecord;
      return record.id === id && (await this.digestOf(record)) === id ? record : undefined;
    } catch {
      return undefined;
    }
  }

  /** All that are kept, the newest first. */
  async list(): Promise<RevisionRecord[]> {
    const names = (await readdir(this.revisions)).filter((name) => !name.startsWith(DRAFT));
    const records = await Promise.all(
      names.map(async (name) => {
        try {
          return JSON.parse(await readFile(join(this.revisions, name, RECORD), 'utf8')) as RevisionRecord;
        } catch {
          return undefined;
        }
      }),
    );
    return records
      .filter((record) => record !== undefined)
      .toSorted((a, b) => (a.fetchedAt < b.fetchedAt ? 1 : -1));
  }

  readersOf(record: RevisionRecord): { bundle: DirectoryReader; base: DirectoryReader | undefined } {
    const at = this.pathOf(record.id);
    return {
      bundle: new DirectoryReader(join(at, BUNDLE), record.place),
      base:
        record.basePlace === undefined ? undefined : new DirectoryReader(join(at, BASE), record.basePlace),
    };
  }

  /** Id of the revision in force; undefined where there was none yet. */
  async current(): Promise<string | undefined> {
    return readlink(this.link).then(
      (target) => basename(target),
      () => undefined,
    );
  }

  async setCurrent(id: string): Promise<void> {
    const draft = join(this.directory, `.current-${process.pid}-${randomBytes(4).toString('hex')}`);
    await symlink(join('revisions', id), draft);
    await rename(draft, this.link);
    await syncDirectory(this.directory);
  }

  /** Removes all but the newest few and those that are named. */
  async prune(keep: number, named: ReadonlySet<string>): Promise<void> {
    const records = await this.list();
    for (const { id } of records.slice(keep)) {
      if (!named.has(id)) await rm(this.pathOf(id), { recursive: true, force: true });
    }
  }

  private pathOf(id: string): string {
    return join(this.revisions, basename(id));
  }

  private writeRecord(record: RevisionRecord): Promise<void> {
    return writeAtomically(join(this.pathOf(record.id), RECORD), JSON.stringify(record, null, 2), 0o640);
  }

  private async digestOf(record: RevisionRecord): Promise<string> {
    const digest = createHash('sha256');
    const { bundle, base } = this.readersOf(record);
    for (const [reader, folder] of [
      [bundle, BUNDLE],
      [base, BASE],
    ] as const) {
      for (const path of (await reader?.list()) ?? []) {
        const content = await reader!.read(path);
        digest.update(`${folder}/${path}\0${content.length}\0`).update(content);
      }
    }
    return digest.digest('hex');
  }
}

/** Writes a file so that a host that loses power finds it whole once the directory that holds it has its name. */
async function writeSynced(path: string, content: Buffer | string): Promise<void> {
  await mkdir(dirname(path), { recursive: true, mode: 0o750 });
  const file = await open(path, 'wx', 0o640);
  try {
    await file.writeFile(content);
    await file.sync();
  } finally {
    await file.close();
  }
}
