import { afterAll, afterEach, beforeAll, beforeEach } from 'vitest';
import { GitRemote, policyText } from './git-remote.js';
import type { GitServer } from './git-server.js';

/** A server for all tests of a block, and for each of them a remote on it with a policy to commit. */
export interface ServedRemote {
  readonly server: GitServer;
  readonly remote: GitRemote;
}

/** To be called within `describe`. */
export function servedRemote(serve: () => Promise<GitServer>): ServedRemote {
  let server: GitServer;
  let remote: GitRemote;
  beforeAll(async () => {
    server = await serve();
  });
  beforeEach(() => {
    remote = new GitRemote(server);
    remote.write('policy.yaml', policyText());
  });
  afterEach(() => remote.remove());
  afterAll(() => server?.stop());
  return {
    get server() {
      return server;
    },
    get remote() {
      return remote;
    },
  };
}
