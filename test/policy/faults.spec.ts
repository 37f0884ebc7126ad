import { execFileSync } from 'node:child_process';
import {
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmdirSync,
  rmSync,
  statfsSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it, vi } from 'vitest';
import { compiledService } from '../end-to-end/compiled-service.js';
import { GitRemote, policyText } from './git-remote.js';
import { PolicyNodeStand } from './node.js';

const CAPACITY = '4m';

/** The process that reads a revision, a grandchild of this one, once it has become node. */
function readingProcess(): { pid: number } | undefined {
  const pid = childrenOf('self')
    .flatMap(childrenOf)
    .find((child) => /^\S*node\0.*policy-worker\.js/.test(read(`/proc/${child}/cmdline`)));
  return pid === undefined ? undefined : { pid: Number(pid) };
}

function childrenOf(pid: string): string[] {
  return readdirSync(`/proc/${pid}/task`).flatMap((task) =>
    read(`/proc/${pid}/task/${task}/children`).split(' ').filter(Boolean),
  );
}

/** Empty where the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

describe('a node', { timeout: 90_000 }, () => {
  let remote: GitRemote;
  let disk: string;
  let node: PolicyNodeStand;

  beforeAll(() => void compiledService(), 120_000);
  beforeEach(async () => {
    remote = new GitRemote();
    remote.write('policy.yaml', policyText());
    disk = mkdtempSync(join(tmpdir(), 'warden-disk-'));
    execFileSync('mount', ['-t', 'tmpfs', '-o', `size=${CAPACITY}`, 'warden', disk]);
    node = new PolicyNodeStand('node-1', remote.origin({ directory: join(disk, 'git') }), disk);
    await node.start();
  });
  afterEach(() => {
    remote.remove();
    execFileSync('umount', [disk]);
    rmdirSync(disk);
  });

  it('whose disk is full goes on with the last revision, also after a restart, and takes the new one once there is room', async () => {
    remote.commit('one');
    expect(await node.activation.sync()).toMatchObject({ result: 'activated' });
    remote.write('policy.yaml', policyText('off'));
    remote.commit('two');
    const filler = join(disk, 'filler');
    for (const left of [0, 40_000]) {
      const { bavail, bsize } = statfsSync(disk);
      writeFileSync(filler, Buffer.alloc(bavail * bsize - left));
      expect(await node.activation.sync()).toMatchObject({ result: 'refused', reason: 'disk' });
      expect(await node.start()).toEqual([]);
      expect(node.decide().verdict).toBe('observed');
      rmSync(filler);
    }
    expect(await node.activation.sync()).toMatchObject({ result: 'activated' });
    expect(node.decide().verdict).toBe('unrestricted');
    const { bavail, bsize } = statfsSync(disk);
    writeFileSync(filler, Buffer.alloc(bavail * bsize));
    expect(await node.activation.pin('previous', 'test')).toMatchObject({
      result: 'refused',
      reason: 'disk',
    });
  });

  it('whose kernel ends the reading for want of memory says so, keeps nothing of it, and reads again later', async () => {
    remote.commit('one');
    await node.activation.sync();
    remote.write('policy.yaml', policyText('off'));
    remote.commit('two');
    const outcome = node.activation.sync();
    const { pid } = await vi.waitUntil(() => readingProcess(), { timeout: 30_000, interval: 5 });
    process.kill(pid, 'SIGKILL');
    expect(await outcome).toMatchObject({ result: 'refused', reason: 'too-large' });
    expect(node.decide().verdict).toBe('observed');
    expect(readdirSync(join(disk, 'policy/revisions')).filter((name) => name.startsWith('.'))).toEqual([]);
    expect(await node.activation.sync()).toMatchObject({ result: 'activated' });
  });

  it('whose clock jumps decides by what holds at the time, forward and back', async () => {
    remote.write(
      'policy.yaml',
      policyText('enforce').replace('mode: enforce', 'mode: enforce\n      rollout: [{ from: 2026-12-20 }]'),
    );
    remote.write(
      'exemption.yaml',
      `apiVersion: vfio-warden.dev/v1
kind: Exemption
metadata: { name: burn-in }
spec:
  match: { devices: [{ bdf: '0000:81:00.0' }] }
  reason: burn-in
  owner: storage
  ticket: OPS-1
  from: 2026-11-26
  expires: 2026-12-10
`,
    );
    // A host whose clock was far ahead when it fetched.
    node.now = new Date('2031-01-01T00:00:00Z');
    node.domains![0]!.domainState = 'has-run';
    const first = remote.commit('one');
    await node.activation.sync();
    await node.activation.approve(first, 'test').catch(() => undefined);
    const at = (time: string) => {
      node.now = new Date(time);
      return node.decide().verdict;
    };
    const verdicts = {
      '2026-11-30T00:00:00Z': 'exempt',
      '2026-12-15T00:00:00Z': 'observed',
      '2026-12-25T00:00:00Z': 'restricted',
      '2026-12-01T00:00:00Z': 'exempt',
      '2001-01-01T00:00:00Z': 'observed',
    };
    expect(Object.fromEntries(Object.keys(verdicts).map((time) => [time, at(time)]))).toEqual(verdicts);
    // What is fetched now is older by this clock than what is in force, and comes into force all the same.
    remote.write('policy.yaml', policyText('off'));
    remote.commit('two');
    expect(await node.activation.sync()).toMatchObject({ result: 'activated' });
    await node.start();
    expect(at('2026-12-25T00:00:00Z')).toBe('unrestricted');
  });
});
