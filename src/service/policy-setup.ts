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
  const authorization = policyTokenFile === undefined ? undefined : await readCredentials(policyTokenFile);
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
        ...(authorization !== undefined && { authorization }),
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

/** As the header `Authorization` says it. */
async function readCredentials(path: string): Promise<string> {
  const text = await readFile(path, 'utf8').catch((error: NodeJS.ErrnoException) => {
    throw new LocatedError(`it cannot be read (${error.code})`, path, 'Correct policyTokenFile.');
  });
  const said = text.trim();
  if (/^[\w.~+/=-]{1,4096}$/.test(said)) return `Bearer ${said}`;
  if (/^[^\s:]{1,256}:[!-~]{1,4096}$/.test(said)) return `Basic ${Buffer.from(said).toString('base64')}`;
  throw new LocatedError(
    'it holds neither a bearer token nor USER:PASSWORD',
    path,
    'Write one of them alone into it.',
  );
}
