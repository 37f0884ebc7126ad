import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { beforeEach, describe, expect, it } from 'vitest';
import type { GitAccess } from '../../src/policy/sources/git-command.js';
import type { GitRemote } from './git-remote.js';
import type { GitServer } from './git-server.js';
import { httpsServer } from './git-server-https.js';
import { sshServer } from './git-server-ssh.js';
import { refusalOf } from './refusal.js';
import { servedRemote } from './served-remote.js';

describe.each<{
  by: string;
  serve: () => Promise<GitServer>;
  /** What is wrong with a client's access, and what is said of it. */
  wrong: Record<string, { access: (server: GitServer, remote: GitRemote) => GitAccess; says: RegExp }>;
}>([
  {
    by: 'https',
    serve: httpsServer,
    wrong: {
      'access-denied': {
        access: ({ access }) => ({ ...access, authorization: 'Bearer another' }),
        says: /returned error: 403/,
      },
      untrusted: {
        access: ({ access: { authorization } }) => ({ ...(authorization && { authorization }) }),
        says: /certificate verification failed/,
      },
    },
  },
  {
    by: 'ssh',
    serve: () => sshServer(),
    wrong: {
      'access-denied': {
        access: ({ access }, remote) => ({ ...access, sshKey: remote.sshKey('other', 'other').key }),
        says: /Permission denied/,
      },
      untrusted: {
        access: ({ access }, remote) => {
          const [, type, key] = remote.sshKey('host', 'host').line.trim().split(' ');
          const knownHosts = join(remote.root, 'known_hosts');
          writeFileSync(knownHosts, `[127.0.0.1]:* ${type} ${key}\n`);
          return { ...access, knownHosts };
        },
        says: /Host key for .* has changed/,
      },
    },
  },
])('a Git server by $by', ({ serve, wrong }) => {
  const served = servedRemote(serve);
  beforeEach(() => void served.remote.commit('one'));

  const fetchWith = (access: GitAccess, url = served.remote.url) =>
    served.remote.source({ url, access }).fetch({ signed: [] }, new Date());

  it.each(Object.entries(wrong))('is %s where credentials or trust are wrong', async (reason, given) => {
    const { server, remote } = served;
    const refusal = await refusalOf(fetchWith(given.access(server, remote)));
    expect(refusal).toMatchObject({ reason });
    expect(refusal!.message).toMatch(given.says);
    expect(await fetchWith(server.access)).toMatchObject({ commit: remote.head() });
  });

  it('says that a repository is not there, and that nobody listens', async () => {
    const { server, remote } = served;
    expect(await refusalOf(fetchWith(server.access, `${remote.url}-not`))).toMatchObject({
      reason: 'access-denied',
    });
    const nobody = remote.url.replace(/(?<=127\.0\.0\.1:)\d+/, '1');
    expect(await refusalOf(fetchWith(server.access, nobody))).toMatchObject({ reason: 'unreachable' });
  });
});
