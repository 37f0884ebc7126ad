import { createHash } from 'node:crypto';
import { mkdtemp, mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runBounded, runGit } from './git-command.js';
import { complaint } from './git-failure.js';
import { SourceRefusal } from './source-refusal.js';

/** Whose signatures are accepted. */
export interface Signers {
  /** For SSH, in the format of ssh-keygen's ALLOWED SIGNERS. */
  allowedSigners?: string;
  /** For GPG: public keys, armoured or not. */
  keyring?: string;
}

export interface SignedCommit {
  /** Whom the verified signature is of; absent where none was asked for. */
  signer?: string;
  /** SHA-256 of the commit without its signature, by which it is known again when somebody strips that. */
  payload: string;
}

const TIMEOUT_MS = 20_000;

/**
 * Verifies a commit's signature against the signers. What is asked is whether the key is valid now: whoever has an expired
 * key can write any date into a commit.
 *
 * @param seenSigned `payload` of commits that were accepted
 * @throws SourceRefusal
 */
export async function verifyCommit(
  repository: string,
  commit: string,
  signers: Signers,
  seenSigned: ReadonlySet<string>,
  now: Date,
): Promise<SignedCommit> {
  const result = await runGit(['cat-file', 'commit', commit], {
    directory: repository,
    timeoutMs: TIMEOUT_MS,
  });
  if (result.code !== 0) throw new SourceRefusal('garbage', complaint(result), commit);
  const { payload, signature } = splitCommit(result.stdout);
  const known = createHash('sha256').update(payload).digest('hex');
  if (signature === undefined) {
    throw seenSigned.has(known)
      ? new SourceRefusal(
          'signature-stripped',
          'the commit was signed, and its signature was taken away',
          commit,
        )
      : new SourceRefusal('unsigned', 'the commit is not signed', commit);
  }
  const scratch = await mkdtemp(join(repository, 'verify-'));
  try {
    const asked = { scratch, commit, payload, signature, now };
    if (signature.startsWith('-----BEGIN SSH SIGNATURE-----')) {
      return { signer: await verifySsh(asked, signers.allowedSigners), payload: known };
    }
    if (signature.startsWith('-----BEGIN PGP')) {
      return { signer: await verifyGpg(asked, signers.keyring), payload: known };
    }
  } finally {
    await rm(scratch, { recursive: true, force: true });
  }
  throw new SourceRefusal('signature-invalid', 'the signature is neither of SSH nor of GPG', commit);
}

/** SHA-256 of a commit without its signature, where nothing is verified. */
export function payloadDigest(object: Buffer): string {
  return createHash('sha256').update(splitCommit(object).payload).digest('hex');
}

/** The header `gpgsig`, whose further lines begin with a space, and all else, which is what was signed. */
function splitCommit(object: Buffer): { payload: Buffer; signature: string | undefined } {
  const text = object.toString('latin1');
  const end = text.indexOf('\n\n');
  const head = end === -1 ? text : text.slice(0, end + 1);
  const found = /(?:^|\n)gpgsig(?:-sha256)? ((?:[^\n]*\n)(?: [^\n]*\n)*)/.exec(head);
  if (!found) return { payload: object, signature: undefined };
  const start = found.index + (found[0].startsWith('\n') ? 1 : 0);
  const rest = text.slice(0, start) + text.slice(found.index + found[0].length);
  return { payload: Buffer.from(rest, 'latin1'), signature: found[1]!.replaceAll('\n ', '\n') };
}

interface Asked {
  scratch: string;
  commit: string;
  payload: Buffer;
  signature: string;
  now: Date;
}

async function verifySsh({ scratch, commit, payload, signature, now }: Asked, allowed: string | undefined) {
  if (allowed === undefined) throw new SourceRefusal('signer-unknown', 'no SSH signers are allowed', commit);
  const file = join(scratch, 'signature');
  await writeFile(file, signature);
  const ask = (operation: string, time: string | undefined, more: readonly string[] = []) =>
    runBounded(
      'ssh-keygen',
      [
        '-Y',
        operation,
        '-f',
        allowed,
        '-s',
        file,
        ...(time === undefined ? [] : [`-Overify-time=${time}`]),
        ...more,
      ],
      { directory: scratch, timeoutMs: TIMEOUT_MS, input: payload },
    );
  const at = sshTime(now);
  const found = await ask('find-principals', at);
  const principal = found.stdout.toString().split('\n')[0]!.trim();
  if (found.code !== 0 || principal === '') {
    if (await isListed(allowed, signature)) {
      throw new SourceRefusal('key-expired', 'the signer is listed, but not for this time', commit);
    }
    throw new SourceRefusal(
      'signer-unknown',
      'the key that signed the commit is not among those allowed',
      commit,
    );
  }
  const verified = await ask('verify', at, ['-n', 'git', '-I', principal]);
  if (verified.code !== 0) throw new SourceRefusal('signature-invalid', complaint(verified), commit);
  return principal;
}

/** `YYYYMMDDHHMMSSZ`; "Z" makes it UTC. */
function sshTime(now: Date): string {
  return now.toISOString().replaceAll(/[-:T]|\.\d+/g, '');
}

/** Whether the key within an SSH signature (PROTOCOL.sshsig) stands in the list at all. */
async function isListed(allowed: string, signature: string): Promise<boolean> {
  const blob = Buffer.from(signature.split('\n').slice(1, -2).join(''), 'base64');
  // Magic "SSHSIG", version, then the public key as a string with its length.
  if (blob.length < 14) return false;
  const key = blob.subarray(14, 14 + blob.readUInt32BE(10)).toString('base64');
  const list = await readFile(allowed, 'utf8').catch(() => '');
  return list.split('\n').some((line) => !line.startsWith('#') && line.includes(key));
}

async function verifyGpg({ scratch, commit, payload, signature, now }: Asked, keyring: string | undefined) {
  if (keyring === undefined) throw new SourceRefusal('signer-unknown', 'no GPG keys are allowed', commit);
  await mkdir(join(scratch, 'gnupg'), { mode: 0o700 });
  const gpg = (args: readonly string[], input?: Buffer) =>
    runBounded('gpg', ['--batch', '--no-tty', '--no-autostart', '--no-auto-key-locate', ...args], {
      directory: scratch,
      timeoutMs: TIMEOUT_MS,
      ...(input && { input }),
    });
  const imported = await gpg(['--import', keyring]);
  if (imported.code !== 0) throw new SourceRefusal('signer-unknown', complaint(imported), commit);
  const file = join(scratch, 'signature');
  await writeFile(file, signature);
  // The clock of whoever signed may be ahead of ours.
  const at = ['--ignore-time-conflict', '--faked-system-time', `${Math.floor(now.getTime() / 1000)}`];
  const result = await gpg(
    [...at, '--trust-model', 'always', '--status-fd', '1', '--verify', file, '-'],
    payload,
  );
  const status = result.stdout.toString();
  const said = (word: string) => status.includes(`[GNUPG:] ${word} `);
  if (said('EXPKEYSIG') || said('EXPSIG') || said('REVKEYSIG')) {
    throw new SourceRefusal(
      'key-expired',
      'the key that signed the commit has expired or was revoked',
      commit,
    );
  }
  if (said('BADSIG'))
    throw new SourceRefusal('signature-invalid', 'the signature is not of this commit', commit);
  if (said('NO_PUBKEY')) {
    throw new SourceRefusal(
      'signer-unknown',
      'the key that signed the commit is not among those allowed',
      commit,
    );
  }
  const good = /\[GNUPG:\] GOODSIG \S+ (.*)/.exec(status)?.[1];
  const print = /\[GNUPG:\] VALIDSIG (\S+)/.exec(status)?.[1];
  if (result.code !== 0 || good === undefined || print === undefined) {
    throw new SourceRefusal('signature-invalid', complaint(result), commit);
  }
  return `${print} ${good.slice(0, 200)}`;
}
