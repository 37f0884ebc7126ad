import { mkdir, readdir, rm, stat } from 'node:fs/promises';
import { join } from 'node:path';
import { verifyCommit, type Signers } from './commit-signature.js';
import { runGit, type CommandResult, type GitAccess } from './git-command.js';
import { complaint, reasonOf } from './git-failure.js';
import { SourceRefusal } from './source-refusal.js';

/** Milliseconds that one fetch may take. */
const FETCH_MS = 60_000;
const LOCAL_MS = 20_000;
/** Packs after which the cache is made anew: each fetch adds one. */
const MAX_PACKS = 200;

const OWN_REF = 'refs/warden/incoming';

export interface GitSourceOptions {
  url: string;
  /** A branch, `refs/tags/NAME`, or a commit of 40 hexadecimal digits. */
  ref: string;
  /** Where the bare repository is kept; nothing else is in there. */
  directory: string;
  access: GitAccess;
  /** Whose signature a commit must have; absent: none is needed. */
  signers?: Signers;
  fetchMs?: number;
  maxPackBytes?: number;
}

/** What was accepted before. */
export interface AcceptedHistory {
  /** The newest commit; absent at first. */
  commit?: string;
  /** See `SignedCommit.payload`. */
  signed: readonly string[];
}

export interface FetchedCommit {
  commit: string;
  signer?: string;
  /** Of a signed commit. */
  payload?: string;
}

/** A Git remote, through the system's git and a bare repository: nothing of it is ever checked out or run. */
export class GitSource {
  constructor(private readonly options: GitSourceOptions) {}

  /** The newest commit of the ref, fetched and verified. @throws SourceRefusal */
  async fetch(accepted: AcceptedHistory, now: Date): Promise<FetchedCommit> {
    await this.prepare();
    const commit = await this.fetchCommit();
    if (accepted.commit !== undefined && accepted.commit !== commit && !this.isPinned) {
      await this.refuseOtherHistory(accepted.commit, commit);
    }
    const { signers, directory } = this.options;
    if (!signers) return { commit };
    const signed = await verifyCommit(directory, commit, signers, new Set(accepted.signed), now);
    return { commit, ...signed };
  }

  private get isPinned(): boolean {
    return /^[0-9a-f]{40}$/.test(this.options.ref);
  }

  /** What a fetch that was killed has left behind is removed: nobody else works here. */
  private async prepare(): Promise<void> {
    const { directory } = this.options;
    const packs = join(directory, 'objects/pack');
    const names = await readdir(packs).catch(() => undefined);
    if (names === undefined || names.length > 2 * MAX_PACKS) {
      await rm(directory, { recursive: true, force: true });
      await mkdir(directory, { recursive: true, mode: 0o700 });
      const made = await this.git(['init', '--quiet', '--bare', '--template=', '.'], LOCAL_MS);
      if (made.code !== 0) throw new SourceRefusal('disk', complaint(made));
      return;
    }
    await Promise.all(
      names
        .filter((name) => name.startsWith('tmp_') || name.startsWith('.tmp'))
        .map((name) => rm(join(packs, name), { force: true })),
    );
    for (const lock of ['config.lock', 'packed-refs.lock', 'shallow.lock', `${OWN_REF}.lock`, 'HEAD.lock']) {
      await rm(join(directory, lock), { force: true });
    }
    for (const name of await readdir(directory)) {
      if (name.startsWith('verify-')) await rm(join(directory, name), { recursive: true, force: true });
    }
  }

  private async fetchCommit(): Promise<string> {
    const { url, ref, fetchMs = FETCH_MS } = this.options;
    const wanted = this.isPinned || ref.startsWith('refs/') ? ref : `refs/heads/${ref}`;
    const args = ['--no-tags', '--no-recurse-submodules', '--no-write-fetch-head', '--quiet', '--force'];
    const refspec = `+${wanted}:${OWN_REF}`;
    let result = await this.git(['fetch', ...args, '--end-of-options', url, refspec], fetchMs);
    if (result.code !== 0 && (await this.isDamaged())) {
      // The cache is the trouble, for example after a power cut; it can always be fetched anew.
      await rm(this.options.directory, { recursive: true, force: true });
      await this.prepare();
      result = await this.git(['fetch', ...args, '--end-of-options', url, refspec], fetchMs);
    }
    if (result.code !== 0) throw new SourceRefusal(reasonOf(result), complaint(result));
    const parsed = await this.git(['rev-parse', '--verify', '--quiet', `${OWN_REF}^{commit}`], LOCAL_MS);
    const commit = parsed.stdout.toString().trim();
    if (parsed.code !== 0 || !/^[0-9a-f]{40}$/.test(commit)) {
      throw new SourceRefusal('garbage', `${wanted} is no commit`);
    }
    return commit;
  }

  private async isDamaged(): Promise<boolean> {
    const head = await stat(join(this.options.directory, OWN_REF)).catch(() => undefined);
    if (!head) return false;
    const check = await this.git(['fsck', '--connectivity-only', '--no-dangling'], LOCAL_MS);
    return check.code !== 0;
  }

  private async refuseOtherHistory(accepted: string, commit: string): Promise<void> {
    const isAncestor = async (older: string, newer: string) =>
      (await this.git(['merge-base', '--is-ancestor', older, newer], LOCAL_MS)).code === 0;
    if (await isAncestor(accepted, commit)) return;
    if (await isAncestor(commit, accepted)) {
      throw new SourceRefusal(
        'rolled-back',
        `the remote went back from ${accepted.slice(0, 12)} to the older ${commit.slice(0, 12)}`,
        commit,
      );
    }
    throw new SourceRefusal(
      'rewritten',
      `the remote's ${commit.slice(0, 12)} does not follow from ${accepted.slice(0, 12)}`,
      commit,
    );
  }

  private git(args: readonly string[], timeoutMs: number): Promise<CommandResult> {
    const { directory, access, maxPackBytes } = this.options;
    return runGit(['--git-dir=.', ...args], {
      directory,
      timeoutMs,
      access,
      ...(maxPackBytes !== undefined && { maxFileBytes: maxPackBytes }),
    });
  }
}
