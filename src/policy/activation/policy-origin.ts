import { lstat, readlink } from 'node:fs/promises';
import { join } from 'node:path';
import { createHash } from 'node:crypto';
import { DirectoryReader } from '../bundle/directory-reader.js';
import { GitSource, type GitSourceOptions } from '../sources/git-source.js';
import type { Provenance } from '../policy-set.js';
import { refusalsOf } from '../../located-error.js';
import { SourceRefusal } from '../sources/source-refusal.js';
import type { PolicyJob } from './policy-job.js';
import type { PolicyState } from './policy-state.js';

/** What a source has now. */
export interface Offer {
  from: PolicyJob['from'];
  provenance: Provenance;
  /** Tells whether it is still the same. */
  fingerprint: string;
  /** Of a signed commit. */
  payload?: string;
}

/** Where revisions come from. */
export interface PolicyOrigin {
  /** In words. */
  readonly name: string;
  /** @throws SourceRefusal */
  look(state: PolicyState, now: Date): Promise<Offer>;
}

/** A directory that people, packages or Kubernetes write. */
export class DirectoryOrigin implements PolicyOrigin {
  readonly name: string;

  constructor(
    private readonly directory: string,
    private readonly baseRisks: string,
  ) {
    this.name = directory;
  }

  async look(): Promise<Offer> {
    const { directory, baseRisks } = this;
    const fingerprint = `${await fingerprintOf(directory)} ${await fingerprintOf(baseRisks)}`;
    return { from: { kind: 'directory', directory, baseRisks }, provenance: {}, fingerprint };
  }
}

/** A Git remote. */
export class GitOrigin implements PolicyOrigin {
  readonly name: string;
  private readonly source: GitSource;

  constructor(
    private readonly options: GitSourceOptions & { path: string },
    private readonly baseRisks: string,
  ) {
    this.source = new GitSource(options);
    // A password in the address is nobody's business.
    this.name = `${options.url.replace(/\/\/[^/@]*@/, '//')} ${options.ref}${options.path === '' ? '' : ` ${options.path}`}`;
  }

  async look(state: PolicyState, now: Date): Promise<Offer> {
    const accepted = { signed: state.signed, ...(state.acceptedCommit && { commit: state.acceptedCommit }) };
    const { commit, signer, payload } = await this.source.fetch(accepted, now);
    const { directory, path } = this.options;
    const { baseRisks } = this;
    return {
      from: { kind: 'git', repository: directory, commit, path, baseRisks },
      provenance: { commit, ...(signer !== undefined && { signer }) },
      fingerprint: `${commit} ${await fingerprintOf(baseRisks)}`,
      ...(payload !== undefined && { payload }),
    };
  }
}

/** Of a bundle's files: where each leads, its inode, size and time of change, which nobody can set. */
async function fingerprintOf(directory: string): Promise<string> {
  const reader = new DirectoryReader(directory);
  try {
    await reader.list();
  } catch (error) {
    const problems = refusalsOf(error);
    if (!problems) throw error;
    throw new SourceRefusal('unreadable', problems.map(({ message }) => message).join('\n'));
  }
  const digest = createHash('sha256');
  // The version that a mounted ConfigMap is at; the files in it may look the same.
  digest.update(await readlink(join(directory, '..data')).catch(() => ''));
  for (const path of reader.realPaths) {
    const { ino, size, ctimeNs } = await lstat(path, { bigint: true });
    digest.update(`${path}\0${ino}\0${size}\0${ctimeNs}\0`);
  }
  return digest.digest('hex');
}
