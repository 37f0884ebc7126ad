import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeEach, describe, expect, it } from 'vitest';
import type { AcceptedHistory } from '../../src/policy/sources/git-source.js';
import type { Signers } from '../../src/policy/sources/commit-signature.js';
import { GitRemote } from './git-remote.js';
import { fileServer } from './git-server.js';
import { httpsServer } from './git-server-https.js';
import { sshServer } from './git-server-ssh.js';
import { reasonOf } from './refusal.js';
import { servedRemote } from './served-remote.js';

describe.each([
  ['a file', async () => fileServer()],
  ['ssh', () => sshServer()],
  ['https', httpsServer],
])('commits of a Git remote by %s', (_, serve) => {
  const served = servedRemote(serve);
  let remote: GitRemote;

  beforeEach(() => {
    ({ remote } = served);
    remote.useSshSignatures();
  });

  const fetchWith = (signers?: Signers, accepted: AcceptedHistory = { signed: [] }, now = new Date()) =>
    remote.source(signers && { signers }).fetch(accepted, now);
  const listOf = (text: string): Signers => {
    const file = join(remote.root, 'allowed_signers');
    writeFileSync(file, text);
    return { allowedSigners: file };
  };

  it('are taken where an SSH key that is allowed has signed them', async () => {
    const { key, line } = remote.sshKey('alice', 'alice@example.org');
    const commit = remote.commit('one', GitRemote.signedWith(key));
    expect(await fetchWith(listOf(line))).toMatchObject({ commit, signer: 'alice@example.org' });
  });

  it('are refused without a signature, and where it was taken away from a commit that was signed', async () => {
    const { key, line } = remote.sshKey('alice', 'alice@example.org');
    remote.commit('one', GitRemote.signedWith(key));
    const { commit, payload } = await fetchWith(listOf(line));
    const text = remote.git('cat-file', 'commit', 'HEAD');
    writeFileSync(join(remote.root, 'stripped'), text.replace(/gpgsig [^]*?END SSH SIGNATURE-----\n/, ''));
    const stripped = remote.git('hash-object', '-t', 'commit', '-w', join(remote.root, 'stripped')).trim();
    remote.git('reset', '--quiet', '--hard', stripped);
    remote.push();
    expect(await reasonOf(fetchWith(listOf(line), { signed: [payload!] }))).toBe('signature-stripped');
    remote.git('reset', '--quiet', '--hard', commit);
    remote.commit('two');
    expect(await reasonOf(fetchWith(listOf(line), { commit, signed: [payload!] }))).toBe('unsigned');
  });

  it('are refused where the key is unknown, or allowed for another time only', async () => {
    const alice = remote.sshKey('alice', 'alice@example.org');
    const mallory = remote.sshKey('mallory', 'mallory@example.org');
    const once = remote.sshKey('once', 'once@example.org', 'valid-before="20260101" ');
    remote.commit('one', GitRemote.signedWith(mallory.key));
    expect(await reasonOf(fetchWith(listOf(alice.line)))).toBe('signer-unknown');
    // A date that the committer chose is no reason to believe in an expired key.
    remote.commit('two', GitRemote.signedWith(once.key), { GIT_COMMITTER_DATE: '2025-06-01T00:00:00Z' });
    expect(await reasonOf(fetchWith(listOf(alice.line + once.line), undefined, new Date('2026-11-26')))).toBe(
      'key-expired',
    );
  });

  it('are refused where the signature is of another commit', async () => {
    const { key, line } = remote.sshKey('alice', 'alice@example.org');
    remote.commit('one', GitRemote.signedWith(key));
    const text = remote.git('cat-file', 'commit', 'HEAD');
    writeFileSync(join(remote.root, 'forged'), text.replace(/\none\n$/, '\nanother\n'));
    const forged = remote.git('hash-object', '-t', 'commit', '-w', join(remote.root, 'forged')).trim();
    remote.git('reset', '--quiet', '--hard', forged);
    remote.push();
    expect(await reasonOf(fetchWith(listOf(line)))).toBe('signature-invalid');
  });

  it('are refused where the branch went back, or was written anew', async () => {
    const first = remote.commit('one');
    const second = remote.commit('two');
    const accepted = { commit: (await fetchWith()).commit, signed: [] };
    expect(accepted.commit).toBe(second);
    remote.git('reset', '--quiet', '--hard', first);
    remote.push();
    expect(await reasonOf(fetchWith(undefined, accepted))).toBe('rolled-back');
    remote.commit('another two');
    expect(await reasonOf(fetchWith(undefined, accepted))).toBe('rewritten');
  });

  it('are told apart from a branch that is not there', async () => {
    remote.commit('one');
    expect(await reasonOf(remote.source({ ref: 'nothing' }).fetch({ signed: [] }, new Date()))).toBe(
      'ref-missing',
    );
  });

  it('are taken where a GPG key that is allowed has signed them, and not once it has expired', async () => {
    const home = join(remote.root, '.gnupg');
    mkdirSync(home, { mode: 0o700 });
    const gpg = (...args: string[]) => remote.run('gpg', ['--batch', '--quiet', ...args], remote.root);
    gpg('--passphrase', '', '--quick-generate-key', 'Bob <bob@example.org>', 'ed25519', 'sign', '2d');
    const keyring = join(remote.root, 'keys.asc');
    writeFileSync(keyring, gpg('--armor', '--export', 'bob@example.org'));
    remote.git('config', 'gpg.format', 'openpgp');
    const commit = remote.commit('one', ['-Sbob@example.org']);
    expect(await fetchWith({ keyring })).toMatchObject({
      commit,
      signer: expect.stringMatching(/^[0-9A-F]{40} Bob <bob@example.org>$/) as string,
    });
    const later = new Date(Date.now() + 3 * 24 * 3600 * 1000);
    expect(await reasonOf(fetchWith({ keyring }, undefined, later))).toBe('key-expired');
    gpg('--passphrase', '', '--quick-generate-key', 'Eve <eve@example.org>', 'ed25519', 'sign', '2d');
    remote.commit('two', ['-Seve@example.org']);
    expect(await reasonOf(fetchWith({ keyring }))).toBe('signer-unknown');
  });
});
