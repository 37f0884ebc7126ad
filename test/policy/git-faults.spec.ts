import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync } from 'node:fs';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { GitSourceOptions } from '../../src/policy/sources/git-source.js';
import { GitRemote } from './git-remote.js';
import { httpsServer } from './git-server-https.js';
import { sshServer } from './git-server-ssh.js';
import { reasonOf } from './refusal.js';
import { portOf, Relay, type Trouble } from './relay.js';
import { servedRemote } from './served-remote.js';

/** Far more than what goes before a pack: of it the trouble begins in the middle. */
const PACK_BYTES = 600_000;
const MIDDLE = 300_000;

describe.each([
  ['https', httpsServer],
  ['ssh', () => sshServer()],
])('a Git server by %s', (_, serve) => {
  const served = servedRemote(serve);
  let remote: GitRemote;
  let relay: Relay;

  beforeEach(async () => {
    ({ remote } = served);
    relay = await Relay.start(portOf(remote.url));
    remote.write('large.txt', randomBytes(PACK_BYTES / 2).toString('hex'));
    remote.commit('one');
  });
  afterEach(() => relay.stop());

  const fetchWith = (options?: Partial<GitSourceOptions>) =>
    remote.source({ url: relay.urlOf(remote.url), ...options }).fetch({ signed: [] }, new Date());

  it.each<[Trouble, string, string]>([
    ['stalls', 'before its first word', 'timeout'],
    ['stalls', 'in the middle of a fetch', 'timeout'],
    ['vanishes', 'before its first word', 'unreachable'],
    ['vanishes', 'in the middle of a fetch', 'garbage'],
    ['sends garbage', 'in the middle of a fetch', 'garbage'],
  ])('that %s %s is done with, and is taken from once it works', async (trouble, when, reason) => {
    Object.assign(relay, { trouble, passes: when === 'before its first word' ? 0 : MIDDLE });
    const fetchMs = reason === 'timeout' ? 4000 : 30_000;
    expect(await reasonOf(fetchWith({ fetchMs }))).toBe(reason);
    relay.passes = Infinity;
    expect(await fetchWith()).toMatchObject({ commit: remote.head() });
    const kept = readdirSync(join(remote.root, 'cache/objects/pack'));
    expect(kept.filter((name) => !name.startsWith('pack-'))).toEqual([]);
  });

  it('that sends more than a policy repository has is cut short', async () => {
    expect(await reasonOf(fetchWith({ maxPackBytes: 100_000 }))).toBe('too-large');
  });
});

describe('a server that speaks something else', () => {
  it('is refused as garbage, over ssh', async () => {
    const server = await sshServer('head -c 100000 /dev/urandom');
    const remote = new GitRemote(server);
    expect(await reasonOf(remote.source().fetch({ signed: [] }, new Date()))).toBe('garbage');
    remote.remove();
    await server.stop();
  });

  it('or does not speak at all is given up', async () => {
    const silent = createServer(() => undefined).listen(0, '127.0.0.1');
    await once(silent, 'listening');
    const { port } = silent.address() as AddressInfo;
    const remote = new GitRemote();
    for (const url of [
      `https://127.0.0.1:${port}/policies.git`,
      `ssh://git@127.0.0.1:${port}/policies.git`,
    ]) {
      expect(await reasonOf(remote.source({ url, fetchMs: 1500 }).fetch({ signed: [] }, new Date()))).toBe(
        'timeout',
      );
    }
    remote.remove();
    silent.close();
  });
});
