import { join } from 'node:path';
import { writeFileSync } from 'node:fs';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { GitSource } from '../../src/policy/sources/git-source.js';
import type { GitAccess } from '../../src/policy/sources/git-command.js';
import { GitRemote, policyText } from './git-remote.js';
import type { GitServer } from './git-server.js';
import { httpsServer } from './git-server-https.js';
import { sshServer } from './git-server-ssh.js';
import { refusalOf } from './refusal.js';

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
  let server: GitServer;
  let remote: GitRemote;

  beforeAll(async () => {
    server = await serve();
  });
  beforeEach(() => {
    remote = new GitRemote(server);
    remote.write('policy.yaml', policyText());
    remote.commit('one');
  });
  afterEach(() => remote.remove());
  afterAll(() => server?.stop());

  const fetchWith = (access: GitAccess, url = remote.url) =>
    new GitSource({ url, ref: 'main', directory: join(remote.root, 'cache'), access }).fetch(
      { signed: [] },
      new Date(),
    );

  it.each(Object.entries(wrong))('is %s where credentials or trust are wrong', async (reason, given) => {
    const refusal = await refusalOf(fetchWith(given.access(server, remote)));
    expect(refusal).toMatchObject({ reason });
    expect(refusal!.message).toMatch(given.says);
    expect(await fetchWith(server.access)).toMatchObject({ commit: remote.head() });
  });

  it('says that a repository is not there, and that nobody listens', async () => {
    expect(await refusalOf(fetchWith(server.access, `${remote.url}-not`))).toMatchObject({
      reason: 'access-denied',
    });
    const nobody = remote.url.replace(/(?<=127\.0\.0\.1:)\d+/, '1');
    expect(await refusalOf(fetchWith(server.access, nobody))).toMatchObject({ reason: 'unreachable' });
  });
});
