import { join } from 'node:path/posix';
import { LocatedError } from '../../located-error.js';
import {
  isBundleFile,
  MAX_BUNDLE_BYTES,
  MAX_BUNDLE_FILES,
  MAX_FILE_BYTES,
  type BundleReader,
} from '../bundle/bundle-files.js';
import { runGit } from './git-command.js';
import { complaint } from './git-failure.js';
import { SourceRefusal } from './source-refusal.js';

const TIMEOUT_MS = 60_000;
const MAX_LISTING = 16 * 1024 * 1024;

/** Kinds of tree entries that would lead elsewhere. */
const ELSEWHERE: Record<string, string> = { '120000': 'a symbolic link', '160000': 'a submodule' };

/** A bundle in a commit: objects are read, nothing is checked out, so no attribute, filter, link or submodule can act. */
export class GitReader implements BundleReader {
  private readonly blobs = new Map<string, string>();
  private contents: Map<string, Buffer> | undefined;
  readonly place: string;

  /**
   * @param repository bare, as `GitSource` keeps it
   * @param path folder within the repository; empty for its root
   */
  constructor(
    private readonly repository: string,
    private readonly commit: string,
    private readonly path: string,
  ) {
    this.place = path;
  }

  async list(): Promise<readonly string[]> {
    const prefix = this.path === '' ? '' : `${this.path}/`;
    const args = ['ls-tree', '-r', '-z', '-l', '--full-tree', this.commit];
    const listed = await this.git(this.path === '' ? args : [...args, '--', this.path], MAX_LISTING);
    let bytes = 0;
    for (const line of listed.toString('utf8').split('\0')) {
      const found = /^(\d+) (\w+) ([0-9a-f]+) +(\S+)\t([^]*)$/.exec(line);
      if (!found) continue;
      const [, mode, , id, size, full] = found as unknown as string[];
      const at = this.path !== '' && full === this.path ? '' : full!.slice(prefix.length);
      const elsewhere = ELSEWHERE[mode!];
      if (elsewhere !== undefined) {
        if (at === '' || isBundleFile(at) || isBundleFolder(at)) {
          throw new SourceRefusal('leads-outside', `${full} is ${elsewhere}, not a file`, this.commit);
        }
        continue;
      }
      if (!isBundleFile(at)) continue;
      if (Number(size) > MAX_FILE_BYTES) {
        throw new LocatedError(`it is larger than ${MAX_FILE_BYTES} bytes`, full!, 'Split it.');
      }
      bytes += Number(size);
      this.blobs.set(at, id!);
    }
    if (this.blobs.size > MAX_BUNDLE_FILES || bytes > MAX_BUNDLE_BYTES) {
      const much = `${this.blobs.size} files of ${bytes} bytes`;
      throw new SourceRefusal('too-large', `${much} are more than a policy repository has`, this.commit);
    }
    return [...this.blobs.keys()].toSorted();
  }

  async read(path: string): Promise<Buffer> {
    this.contents ??= await this.readAll();
    const content = this.contents.get(path);
    if (content === undefined)
      throw new LocatedError('it does not exist', join(this.place, path), 'Correct its name.');
    this.contents.delete(path);
    return content;
  }

  /** All of them by one process. */
  private async readAll(): Promise<Map<string, Buffer>> {
    const paths = [...this.blobs.keys()];
    const input = paths.map((path) => `${this.blobs.get(path)}\n`).join('');
    const out = await this.git(
      ['cat-file', '--batch=%(objecttype) %(objectsize)', '--buffer'],
      2 * MAX_BUNDLE_BYTES,
      input,
    );
    const contents = new Map<string, Buffer>();
    let at = 0;
    for (const path of paths) {
      const end = out.indexOf(10, at);
      const [type, size] = out.toString('latin1', at, end).split(' ');
      if (end === -1 || type !== 'blob')
        throw new SourceRefusal('garbage', `${path} cannot be read`, this.commit);
      contents.set(path, out.subarray(end + 1, end + 1 + Number(size)));
      at = end + 1 + Number(size) + 1;
    }
    return contents;
  }

  private async git(args: readonly string[], maxBytes: number, input?: string): Promise<Buffer> {
    const result = await runGit(['--git-dir=.', ...args], {
      directory: this.repository,
      timeoutMs: TIMEOUT_MS,
      maxBytes,
      ...(input !== undefined && { input }),
    });
    if (result.code !== 0) throw new SourceRefusal('garbage', complaint(result), this.commit);
    return result.stdout;
  }
}

/** Where a folder of documents should be. */
function isBundleFolder(path: string): boolean {
  return /^(policies|risks|exemptions|tests)(\/|$)/.test(path);
}
