import { rmSync } from 'node:fs';
import { join } from 'node:path';
import { setImmediate as pause } from 'node:timers/promises';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import type { PolicyOrigin } from '../../src/policy/activation/policy-origin.js';
import { compiledService } from '../end-to-end/compiled-service.js';
import { GitRemote, policyText } from './git-remote.js';
import { PolicyNodeStand } from './node.js';

describe('a person', { timeout: 90_000 }, () => {
  let remote: GitRemote;
  let node: PolicyNodeStand;
  /** What a look at the remote waits for besides. */
  let reached: Promise<unknown>;

  beforeAll(() => void compiledService(), 120_000);
  beforeEach(async () => {
    remote = new GitRemote();
    remote.write('policy.yaml', policyText());
    reached = Promise.resolve();
    const git = remote.origin();
    const origin: PolicyOrigin = {
      name: git.name,
      look: async (state, now) => {
        await reached;
        return git.look(state, now);
      },
    };
    node = new PolicyNodeStand('node-1', origin);
    await node.start();
    node.domains![0]!.domainState = 'has-run';
  });
  afterEach(() => {
    remote.remove();
    node.remove();
  });

  async function offBehindObserve(): Promise<void> {
    remote.commit('observe');
    await node.activation.sync();
    remote.write('policy.yaml', policyText('off'));
    remote.commit('off');
    expect(await node.activation.sync()).toMatchObject({ result: 'activated' });
    expect(node.decide().verdict).toBe('unrestricted');
  }

  it('who pins a revision waits for no remote, and gets it back while that hangs', async () => {
    await offBehindObserve();
    let answer: () => void;
    reached = new Promise<void>((resolve) => (answer = resolve));
    const hanging = node.activation.sync();
    await pause();
    expect(node.activation.status().underWay).toMatchObject([{ step: 'fetching' }]);
    expect(await node.activation.pin('previous', 'test')).toMatchObject({ result: 'activated' });
    expect(node.decide().verdict).toBe('observed');
    expect(node.activation.status().underWay).toMatchObject([{ step: 'fetching' }]);
    answer!();
    expect(await hanging).toMatchObject({ result: 'pinned' });
    expect(node.activation.status()).toMatchObject({ underWay: [], lastRequest: { result: 'activated' } });
  });

  it('who pins a revision waits for no other that is being weighed, while libvirt hangs', async () => {
    await offBehindObserve();
    remote.write('policy.yaml', policyText('off').replace('everything', 'all'));
    remote.commit('three');
    let asked: () => void;
    const weighing = new Promise<void>((resolve) => (asked = resolve));
    node.listDomains = () => {
      asked();
      return new Promise(() => undefined);
    };
    const sync = node.activation.sync();
    await weighing;
    expect(node.activation.status().underWay).toMatchObject([{ step: 'weighing' }]);
    expect(await node.activation.pin('previous', 'test')).toMatchObject({ result: 'activated' });
    expect(await sync).toMatchObject({ result: 'waiting' });
    expect(node.decide().verdict).toBe('observed');
  });

  it('accepts by its commit a history that was refused, and no other', async () => {
    const first = remote.commit('observe');
    await node.activation.sync();
    remote.git('commit', '--quiet', '--amend', '-m', 'without the secret');
    remote.write('policy.yaml', policyText('off'));
    const rewritten = remote.commit('off');
    expect(await node.activation.sync()).toMatchObject({ result: 'refused', reason: 'rewritten' });
    await expect(node.activation.approve(first, 'alice')).rejects.toThrow('no revision waits');
    expect(await node.activation.approve(rewritten.slice(0, 12), 'alice')).toMatchObject({
      result: 'activated',
    });
    expect(node.decide()).toMatchObject({ verdict: 'unrestricted', inputs: { policyCommit: rewritten } });
    expect(node.events).toContainEqual(expect.objectContaining({ kind: 'policy-accepted', actor: 'alice' }));
    remote.git('reset', '--quiet', '--hard', 'HEAD~1');
    remote.push();
    expect(await node.activation.sync()).toMatchObject({ result: 'refused', reason: 'rolled-back' });
  });

  it('loses nothing but the brake’s memory with the state: an older history is still none', async () => {
    const first = remote.commit('observe');
    remote.write('policy.yaml', policyText('off'));
    remote.commit('off');
    await node.activation.sync();
    rmSync(join(node.directory, 'policy/state.json'));
    await node.start();
    remote.git('reset', '--quiet', '--hard', first);
    remote.push();
    expect(await node.activation.sync()).toMatchObject({ result: 'refused', reason: 'rolled-back' });
    expect(node.decide().verdict).toBe('unrestricted');
  });
});
