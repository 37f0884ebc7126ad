import { execFileSync } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { GitOrigin } from '../../src/policy/activation/policy-origin.js';
import type { GitAccess } from '../../src/policy/sources/git-command.js';
import { GitSource, type GitSourceOptions } from '../../src/policy/sources/git-source.js';
import type { GitServer } from './git-server.js';

const POLICY = (mode: string) => `apiVersion: vfio-warden.dev/v1
kind: Policy
metadata: { name: fleet }
spec:
  rules:
    - name: everything
      mode: ${mode}
      require: [unassigned-extended]
      mitigations: [conventional-bus]
      topologyChange: always
`;

/** A policy document that anybody could have written. */
export function policyText(mode = 'observe'): string {
  return POLICY(mode);
}

/**
 * A remote repository and one to work in, whose commits go there by file; the configuration of whoever runs the tests does
 * not count.
 */
export class GitRemote {
  readonly root = mkdtempSync(join(tmpdir(), 'warden-git-'));
  readonly bare: string;
  readonly work = join(this.root, 'work');

  /** @param server where the remote is to be had; by default by file */
  constructor(private readonly server?: GitServer) {
    this.bare = join(server?.root ?? this.root, `${randomUUID()}.git`);
    this.run('git', ['init', '--quiet', '--bare', '--initial-branch=main', this.bare], this.root);
    this.run('git', ['clone', '--quiet', this.bare, this.work], this.root);
    this.run('git', ['checkout', '--quiet', '-B', 'main'], this.work);
  }

  get url(): string {
    return this.server?.urlOf(this.bare) ?? `file://${this.bare}`;
  }

  get access(): GitAccess {
    return this.server?.access ?? {};
  }

  /** The remote's branch, fetched into a cache beside it unless the options say otherwise. */
  source(options: Partial<GitSourceOptions> = {}): GitSource {
    return new GitSource(this.sourceOptions(options));
  }

  /** The same as a node has it, with the risk entries of the package. */
  origin(options: Partial<GitSourceOptions> = {}): GitOrigin {
    return new GitOrigin({ ...this.sourceOptions(options), path: '' }, 'policies/risks');
  }

  private sourceOptions(options: Partial<GitSourceOptions>): GitSourceOptions {
    const { url, access } = this;
    return { url, ref: 'main', directory: join(this.root, 'cache'), access, ...options };
  }

  write(path: string, text: string): void {
    const file = join(this.work, path);
    mkdirSync(dirname(file), { recursive: true });
    writeFileSync(file, text);
  }

  link(path: string, target: string): void {
    rmSync(join(this.work, path), { force: true, recursive: true });
    symlinkSync(target, join(this.work, path));
  }

  /** Of a commit that nobody has; its folder is empty, as in a clone without submodules. */
  submodule(path: string): void {
    mkdirSync(join(this.work, path), { recursive: true });
    this.git('update-index', '--add', '--cacheinfo', `160000,${'1'.repeat(40)},${path}`);
  }

  /** Commits everything and pushes it. @returns the commit */
  commit(message: string, options: readonly string[] = [], environment: NodeJS.ProcessEnv = {}): string {
    this.run('git', ['add', '-A'], this.work);
    this.run(
      'git',
      ['commit', '--quiet', '--allow-empty', '-m', message, ...options],
      this.work,
      environment,
    );
    this.push();
    return this.head();
  }

  push(): void {
    this.run('git', ['push', '--quiet', '--force', 'origin', 'HEAD:main'], this.work);
  }

  head(): string {
    return this.git('rev-parse', 'HEAD').trim();
  }

  git(...args: string[]): string {
    return this.run('git', args, this.work);
  }

  /** A key of ssh-keygen, and its line in a list of signers. */
  sshKey(name: string, principal: string, options = ''): { key: string; line: string } {
    const key = join(this.root, name);
    this.run('ssh-keygen', ['-q', '-t', 'ed25519', '-N', '', '-C', '', '-f', key], this.root);
    const [type, blob] = this.run('cat', [`${key}.pub`], this.root).split(' ');
    return { key, line: `${principal} ${options}${type} ${blob!.trim()}\n` };
  }

  /** Arguments of `git commit` that sign with an SSH key. */
  static signedWith(key: string): string[] {
    return [`-S${key}`];
  }

  useSshSignatures(): void {
    this.git('config', 'gpg.format', 'ssh');
  }

  run(program: string, args: readonly string[], cwd: string, environment: NodeJS.ProcessEnv = {}): string {
    return execFileSync(program, args, {
      cwd,
      encoding: 'utf8',
      stdio: ['ignore', 'pipe', 'pipe'],
      env: {
        PATH: process.env.PATH,
        HOME: this.root,
        GIT_CONFIG_NOSYSTEM: '1',
        GIT_AUTHOR_NAME: 'Test',
        GIT_AUTHOR_EMAIL: 'test@example.org',
        GIT_COMMITTER_NAME: 'Test',
        GIT_COMMITTER_EMAIL: 'test@example.org',
        ...environment,
      },
    });
  }

  remove(): void {
    for (const path of [this.root, this.bare]) rmSync(path, { recursive: true, force: true });
  }
}
