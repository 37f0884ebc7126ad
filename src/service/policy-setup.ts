import { readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Settings } from '../config/settings.js';
import { LocatedError } from '../located-error.js';
import { DirectoryOrigin, GitOrigin, type PolicyOrigin } from '../policy/activation/policy-origin.js';

/** Where the service keeps what belongs to policies. */
export function policyDirectory({ stateDirectory }: Settings): string {
  return join(stateDirectory, 'policy');
}

/** The pinned revision is a file with its id, so that it can be set and removed with the service dead. */
export function pinFile(settings: Settings): string {
  return join(policyDirectory(settings), 'pin');
}

/** Reads and writes the pin. */
export function filePin(path: string) {
  return {
    read: async () => (await readFile(path, 'utf8').catch(() => '')).trim().slice(0, 128) || undefined,
    write: async (id: string | undefined) => {
      if (id === undefined) return rm(path, { force: true });
      const draft = `${path}.${process.pid}`;
      await writeFile(draft, `${id}\n`, { mode: 0o640 });
      await rename(draft, path);
    },
  };
}

/** @throws LocatedError where a file that the settings name cannot be read */
export async function originOf(settings: Settings): Promise<PolicyOrigin> {
  const { policies, risks, policyGit, policyRef, policyPath = '', policySigners, policyKeyring } = settings;
  if (policyGit === undefined) return new DirectoryOrigin(policies, risks);
  const { policySshKey, policyKnownHosts, policyCaFile, policyTokenFile } = settings;
  const token = policyTokenFile === undefined ? undefined : await readToken(policyTokenFile);
  return new GitOrigin(
    {
      url: policyGit,
      ref: policyRef,
      path: policyPath,
      directory: join(policyDirectory(settings), 'git'),
      access: {
        ...(policySshKey !== undefined && { sshKey: policySshKey }),
        ...(policyKnownHosts !== undefined && { knownHosts: policyKnownHosts }),
        ...(policyCaFile !== undefined && { caFile: policyCaFile }),
        ...(token !== undefined && { token }),
      },
      ...((policySigners ?? policyKeyring) !== undefined && {
        signers: {
          ...(policySigners !== undefined && { allowedSigners: policySigners }),
          ...(policyKeyring !== undefined && { keyring: policyKeyring }),
        },
      }),
    },
    risks,
  );
}

async function readToken(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new LocatedError(`it cannot be read (${error.code})`, path, 'Correct policyTokenFile.');
  });
  const token = text.trim();
  if (/^[\w.~+/=-]{1,4096}$/.test(token)) return token;
  throw new LocatedError('it holds no bearer token', path, 'Write the token alone into it.');
}
