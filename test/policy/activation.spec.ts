import { mkdirSync, mkdtempSync, readdirSync, renameSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { DirectoryOrigin } from '../../src/policy/activation/policy-origin.js';
import { RevisionStore } from '../../src/policy/activation/revision-store.js';
import { DirectoryReader } from '../../src/policy/bundle/directory-reader.js';
import { compiledService } from '../end-to-end/compiled-service.js';
import { GitRemote, policyText } from './git-remote.js';
import { PolicyNodeStand } from './node.js';

const RISKS = 'policies/risks';
const ENFORCE = policyText('enforce');

describe('revisions', { timeout: 90_000 }, () => {
  let remote: GitRemote;
  let node: PolicyNodeStand;

  beforeAll(() => void compiledService(), 120_000);
  beforeEach(async () => {
    remote = new GitRemote();
    remote.write('policy.yaml', policyText());
    node = new PolicyNodeStand('node-1', remote.origin());
    await node.start();
  });
  afterEach(() => {
    remote.remove();
    node.remove();
  });

  it('come into force, name their commit in decisions, and are still there without the remote', async () => {
    const commit = remote.commit('one');
    expect(await node.activation.sync()).toMatchObject({ result: 'activated' });
    expect(node.decide()).toMatchObject({ verdict: 'observed', inputs: { policyCommit: commit } });
    expect(await node.activation.sync()).toMatchObject({ result: 'unchanged' });
    rmSync(remote.bare, { recursive: true });
    await node.start();
    expect(await node.activation.sync()).toMatchObject({ result: 'refused' });
    expect(node.decide()).toMatchObject({ verdict: 'observed', inputs: { policyCommit: commit } });
  });

  it('wait for a person where they would change the hardware of more than a tenth of the domains', async () => {
    remote.commit('one');
    await node.activation.sync();
    remote.write('policy.yaml', ENFORCE);
    const commit = remote.commit('two');
    expect(await node.activation.sync()).toMatchObject({ result: 'held' });
    expect(node.decide().verdict).toBe('observed');
    await node.start();
    const { held } = node.activation.status();
    expect(held).toMatchObject({ commit, domains: 1, disruptive: 1, examples: [{ domain: 'vm' }] });
    await expect(node.activation.approve('0123456789', 'test')).rejects.toThrow('that waits');
    expect(await node.activation.approve(commit.slice(0, 10), 'test')).toMatchObject({ result: 'activated' });
    expect(node.decide().verdict).toBe('restricted');
    expect(node.events.map(({ kind }) => kind)).toContain('policy-held');
  });

  it('wait for a person also where time would do it, and once she has said yes, time does', async () => {
    remote.write(
      'policy.yaml',
      ENFORCE.replace('mode: enforce', 'mode: enforce\n      rollout: [{ from: 2026-12-20 }]'),
    );
    const commit = remote.commit('one');
    const outcome = await node.activation.sync();
    expect(outcome).toMatchObject({ result: 'held' });
    expect(outcome.detail).toMatch(
      /from 2026-12-20T00:00:00\.000Z on it would deny, or change .* 1 of 1 domains/,
    );
    await node.activation.approve(commit, 'test');
    expect(node.decide().verdict).toBe('observed');
    node.now = new Date('2026-12-20T00:00:00Z');
    expect(node.decide().verdict).toBe('restricted');
    // What was said yes to once is nothing new.
    node.now = new Date('2026-11-27T00:00:00Z');
    remote.write(
      'more.yaml',
      policyText('off')
        .replace('fleet', 'more')
        .replace('mode: off', 'mode: off\n      match: { domains: [{ name: nobody }] }'),
    );
    remote.commit('two');
    expect(await node.activation.sync()).toMatchObject({ result: 'activated' });
  });

  it('wait while it is not known what they would change', async () => {
    remote.commit('one');
    node.domains = undefined;
    expect(await node.activation.sync()).toMatchObject({ result: 'waiting' });
  });

  it('are undone by one word, whatever the remote says', async () => {
    remote.commit('one');
    await node.activation.sync();
    node.domains![0]!.domainState = 'has-run';
    remote.write('policy.yaml', policyText('off'));
    remote.commit('two');
    await node.activation.sync();
    expect(node.decide().verdict).toBe('unrestricted');
    expect(await node.activation.pin('previous', 'test')).toMatchObject({ result: 'activated' });
    expect(node.decide().verdict).toBe('observed');
    expect(await node.activation.sync()).toMatchObject({ result: 'pinned' });
    await node.start();
    expect(node.decide().verdict).toBe('observed');
    expect(await node.activation.unpin('test')).toMatchObject({ result: 'activated' });
    expect(node.decide().verdict).toBe('unrestricted');
  });

  it('are pinned with the service dead, by the beginning of an id or commit', async () => {
    const first = remote.commit('one');
    await node.activation.sync();
    remote.write('policy.yaml', policyText('off'));
    remote.commit('two');
    await node.activation.sync();
    const pin = join(node.directory, 'policy/pin');
    writeFileSync(pin, `${first.slice(0, 10)}\n`);
    expect(await node.start()).toEqual([]);
    expect(node.decide().verdict).toBe('observed');
    // As the service finds it when it looks at the file for the first time.
    expect(await node.activation.pinChanged(first.slice(0, 10))).toBeUndefined();
    writeFileSync(pin, 'deadbeef\n');
    expect((await node.start()).join()).toMatch(/the pin deadbeef: this host has no such revision/);
    expect(node.decide().verdict).toBe('unrestricted');
    expect(await node.activation.sync()).toMatchObject({ result: 'pinned' });
  });

  it('that wait are kept, however many come into force before a person says yes', async () => {
    remote.commit('one');
    await node.activation.sync();
    remote.write('policy.yaml', ENFORCE);
    const waiting = remote.commit('two');
    expect(await node.activation.sync()).toMatchObject({ result: 'held' });
    const store = new RevisionStore(join(node.directory, 'policy'));
    const { id } = node.activation.status().held!;
    // Newer ones than it, as many as are kept.
    const bundle = mkdtempSync(join(tmpdir(), 'warden-bundle-'));
    for (let one = 0; one < 11; one += 1) {
      writeFileSync(join(bundle, 'policy.yaml'), policyText().replace('everything', `rule-${one}`));
      await store.save(new DirectoryReader(bundle), undefined, {}, `2026-12-01T00:00:${10 + one}Z`);
    }
    rmSync(bundle, { recursive: true });
    const [newest] = await store.list();
    await node.activation.pin(newest!.id, 'test');
    expect(await store.list()).toHaveLength(12);
    expect(await store.record(id)).toMatchObject({ commit: waiting });
    expect(await node.activation.approve(waiting, 'test')).toMatchObject({ result: 'activated' });
  });

  it('are warned of where a selector matches nothing on this host', async () => {
    const only = "match: { devices: [{ vendor: 'ffff' }] }";
    remote.write('policy.yaml', policyText().replace('mode: observe', `mode: observe\n      ${only}`));
    remote.commit('one');
    await node.activation.sync();
    expect(node.activation.status().warnings.join()).toMatch(
      /policy\.yaml: rule fleet\/everything selects vendor ffff, which no function of this host matches/,
    );
  });

  it.each<[string, () => void, string, RegExp]>([
    ['not YAML', () => remote.write('policy.yaml', 'a: [b'), 'invalid', /policy\.yaml:1/],
    [
      'a bomb of aliases',
      () => remote.write('policy.yaml', 'a: &a [x,x]\nb: &b [*a,*a]\nc: [*b,*b]\n'),
      'invalid',
      /aliases are not accepted/,
    ],
    ['a field twice', () => remote.write('policy.yaml', `${policyText()}kind: Policy\n`), 'invalid', /twice/],
    [
      'a document of 10 MiB',
      () => remote.write('policy.yaml', '#'.repeat(10 << 20)),
      'invalid',
      /larger than/,
    ],
    ['a link to outside', () => remote.link('policy.yaml', '/etc/passwd'), 'leads-outside', /symbolic link/],
    [
      'a folder that is a link',
      () => remote.link('risks', '/etc'),
      'leads-outside',
      /risks is a symbolic link/,
    ],
    [
      'a folder that is a submodule',
      () => remote.submodule('risks'),
      'leads-outside',
      /risks is a submodule/,
    ],
    [
      'aliases that lead in a circle',
      () => remote.write('policy.yaml', `${policyText()}x: &x { x: *x }\n`),
      'invalid',
      /aliases are not accepted/,
    ],
    [
      'a test that fails',
      () => {
        remote.write(
          'tests/t.yaml',
          'apiVersion: vfio-warden.dev/v1\nkind: PolicyTest\nmetadata: { name: t }\nspec:\n  at: 2026-11-26\n' +
            "  inventory: '{}'\n  cases: [{ name: c, domain: <domain/>, expect: { verdict: denied } }]\n",
        );
      },
      'tests-failed',
      /t: c:/,
    ],
  ])('are refused with %s, and the last one stays', async (_, change, reason, detail) => {
    remote.commit('one');
    await node.activation.sync();
    change();
    remote.commit('two');
    const outcome = await node.activation.sync();
    expect(outcome).toMatchObject({ result: 'refused', reason });
    expect(outcome.detail).toMatch(detail);
    expect(node.decide().verdict).toBe('observed');
    expect(await node.activation.sync()).toMatchObject({ result: 'refused', reason });
  });

  it('that are refused stay so after a restart; a remote that was away is forgotten once it answers', async () => {
    remote.commit('one');
    await node.activation.sync();
    renameSync(remote.bare, `${remote.bare}-away`);
    expect(await node.activation.sync()).toMatchObject({ result: 'refused', reason: 'access-denied' });
    renameSync(`${remote.bare}-away`, remote.bare);
    expect(await node.activation.sync()).toMatchObject({ result: 'unchanged' });
    remote.write('policy.yaml', 'a: [b');
    const commit = remote.commit('two');
    await node.activation.sync();
    await node.start();
    expect(await node.activation.sync()).toMatchObject({ result: 'refused', reason: 'invalid', commit });
  });

  it('are read without running anything of theirs', async () => {
    const trace = join(remote.root, 'ran');
    remote.write('.gitattributes', '*.yaml filter=evil export-ignore\n');
    remote.write('.gitmodules', '[submodule "x"]\n  path = x\n  url = /etc\n');
    remote.write('hooks/post-checkout', `#!/bin/sh\ntouch ${trace}\n`);
    remote.write('.gitconfig', `[core]\n  fsmonitor = touch ${trace}\n`);
    remote.submodule('x');
    remote.link('notes.txt-link', '/etc/passwd');
    // What a remote on this host could say of itself.
    const command = `touch ${trace}`;
    for (const name of [
      'core.fsmonitor',
      'core.sshCommand',
      'uploadpack.packObjectsHook',
      'filter.evil.smudge',
    ]) {
      remote.run('git', ['config', name, command], remote.bare);
    }
    remote.commit('one');
    expect(await node.activation.sync()).toMatchObject({ result: 'activated' });
    expect(readdirSync(remote.root)).not.toContain('ran');
    expect(node.decide().verdict).toBe('observed');
  });
});

describe('a directory', { timeout: 90_000 }, () => {
  const root = mkdtempSync(join(tmpdir(), 'warden-mount-'));

  it('may be swapped by a symbolic link, as Kubernetes mounts a ConfigMap', async () => {
    const publish = (version: string, text: string) => {
      mkdirSync(join(root, version));
      writeFileSync(join(root, version, 'policy.yaml'), text);
      symlinkSync(version, join(root, '..data_tmp'));
      renameSync(join(root, '..data_tmp'), join(root, '..data'));
    };
    publish('..2026_1', policyText());
    symlinkSync('..data/policy.yaml', join(root, 'policy.yaml'));
    const node = new PolicyNodeStand('node-1', new DirectoryOrigin(root, RISKS));
    await node.start();
    expect(await node.activation.sync()).toMatchObject({ result: 'activated' });
    expect(node.decide().verdict).toBe('observed');
    publish('..2026_2', policyText('off'));
    rmSync(join(root, '..2026_1'), { recursive: true });
    expect(await node.activation.sync()).toMatchObject({ result: 'activated' });
    expect(node.decide().verdict).toBe('unrestricted');
    rmSync(join(root, '..2026_2'), { recursive: true });
    expect(await node.activation.sync()).toMatchObject({ result: 'refused', reason: 'unreadable' });
    expect(node.decide().verdict).toBe('unrestricted');
    node.remove();
    rmSync(root, { recursive: true });
  });
});
