import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, mkdirSync, mkdtempSync, readdirSync, rmSync, symlinkSync, watch } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { setTimeout as sleep } from 'node:timers/promises';
import { build } from 'esbuild';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiledService, POLICY_WORKER, REPOSITORY } from '../end-to-end/compiled-service.js';
import { GuardedHost } from '../end-to-end/guarded-host.js';
import type { RunningService } from '../end-to-end/running-service.js';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { GitRemote, policyText } from './git-remote.js';
import type { KilledNodeAnswer } from './killed-node.js';

/**
 * `npm run policy-kills` does 200, however long it takes. A run of all tests does what fits into a little more than a minute,
 * fewer on a busy machine, and says how many. A tenth of them is of the whole service.
 */
const ASKED = process.env.WARDEN_POLICY_KILLS;
const KILLS = Number(ASKED ?? 30);
const OF_SERVICE = Math.ceil(KILLS / 10);
const OF_NODE = KILLS - OF_SERVICE;
const BUDGET_MS =
  ASKED === undefined ? { node: 45_000, service: 20_000 } : { node: Infinity, service: Infinity };
/** About as many changes of directories as an activation makes. */
const CHANGES = 22;
const PATIENCE_MS = 120_000 + KILLS * 20_000;

/** Commits whose one rule has the number of its generation in its name. */
class Generations {
  readonly remote = new GitRemote();
  readonly commits: string[] = [];

  /** @returns its number */
  next(): number {
    const text = policyText().replace('name: everything', `name: generation-${this.commits.length}`);
    this.remote.write('policy.yaml', text);
    this.commits.push(this.remote.commit(`generation ${this.commits.length}`));
    return this.commits.length - 1;
  }
}

/** One file, which starts in a fraction of the time. */
async function bundledNode(directory: string): Promise<string> {
  const program = join(directory, 'killed-node.mjs');
  await build({
    entryPoints: [join(import.meta.dirname, 'killed-node.ts')],
    outfile: program,
    bundle: true,
    platform: 'node',
    format: 'esm',
    keepNames: true,
    logLevel: 'error',
    // Its dependencies are CommonJS modules; what it never uses of them need not be there.
    banner: {
      js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);",
    },
    external: ['@nestjs/*', 'class-transformer/storage'],
  });
  // What the fixtures read from beside themselves.
  cpSync(join(REPOSITORY, 'test/fixtures/inventory'), join(directory, 'inventory'), { recursive: true });
  symlinkSync(join(REPOSITORY, 'node_modules'), join(directory, 'node_modules'));
  return program;
}

class KilledNode {
  private readonly child: ChildProcess;
  private readonly lines: AsyncIterator<string>;

  constructor(program: string, directory: string, url: string, risks: string) {
    const worker = join(compiledService(), POLICY_WORKER);
    this.child = spawn(process.execPath, [program, directory, url, risks, worker], {
      stdio: ['pipe', 'pipe', 'inherit'],
      cwd: REPOSITORY,
    });
    this.lines = createInterface({ input: this.child.stdout! })[Symbol.asyncIterator]();
    this.child.stdin!.on('error', () => undefined);
  }

  /** @returns undefined where it was killed meanwhile */
  async ask(what: 'start' | 'sync'): Promise<KilledNodeAnswer | undefined> {
    this.child.stdin!.write(`${what}\n`);
    const { value, done } = await this.lines.next();
    return done ? undefined : (JSON.parse(value) as KilledNodeAnswer);
  }

  async kill(): Promise<void> {
    if (this.child.exitCode !== null || this.child.signalCode !== null) return;
    const exit = once(this.child, 'exit');
    this.child.kill('SIGKILL');
    await exit;
  }
}

/** The n-th change of what a directory holds. */
async function change(directories: readonly string[], nth: number, until: AbortSignal): Promise<void> {
  let seen = 0;
  await new Promise<void>((resolve) => {
    until.addEventListener('abort', () => resolve());
    for (const directory of directories) {
      mkdirSync(directory, { recursive: true });
      watch(directory, { signal: until }, () => void ((seen += 1) === nth && resolve()));
    }
  });
}

describe('a node that is killed while it fetches and activates a revision', () => {
  const root = mkdtempSync(join(tmpdir(), 'warden-killed-'));
  const state = join(root, 'state');
  const generations = new Generations();
  beforeAll(() => void compiledService(), 120_000);
  afterAll(() => {
    rmSync(root, { recursive: true, force: true });
    generations.remote.remove();
  });

  it(
    'comes back with a whole revision, the last or the new one, each time',
    async () => {
      const places = ['policy', 'policy/revisions'].map((path) => join(state, path));
      const came = { last: 0, new: 0, finished: 0 };
      let last = generations.next();
      const program = await bundledNode(root);
      // Fewer than the package has: the more kills fit into a minute.
      const risks = join(root, 'risks');
      cpSync(join(REPOSITORY, 'policies/risks', 'isolation.yaml'), join(risks, 'isolation.yaml'));
      const begin = () => new KilledNode(program, state, generations.remote.url, risks);
      let node = begin();
      await node.ask('start');
      const began = performance.now();
      expect(await node.ask('sync')).toMatchObject({ result: 'activated', rule: 'generation-0' });
      let syncMs = performance.now() - began;

      let kill = 0;
      for (; kill < OF_NODE && performance.now() - began < BUDGET_MS.node; kill += 1) {
        const next = generations.next();
        // The one that comes after it loads its modules meanwhile.
        const after = begin();
        const over = new AbortController();
        // Half at any moment of the whole, half when something happens on disk: that is where it matters.
        const moment =
          kill % 2 === 0
            ? sleep(Math.random() * 1.2 * syncMs, undefined, { signal: over.signal }).catch(() => undefined)
            : change(places, 1 + Math.floor(Math.random() * CHANGES), over.signal);
        const started = performance.now();
        const asked = node.ask('sync').then((answer) => {
          if (answer) syncMs = (syncMs + performance.now() - started) / 2;
          return answer;
        });
        await Promise.race([moment, asked]);
        await node.kill();
        const finished = await asked;
        over.abort();
        if (finished) {
          expect(finished).toMatchObject({ result: 'activated', rule: `generation-${next}` });
          came.finished += 1;
        }

        node = after;
        const back = (await node.ask('start'))!;
        const generation = Number(/^generation-(\d+)$/.exec(back.rule ?? '')?.[1]);
        expect(finished ? [next] : [last, next]).toContain(generation);
        expect(back).toMatchObject({ commit: generations.commits[generation], problems: [] });
        expect(readdirSync(join(state, 'policy/revisions')).filter((name) => name.startsWith('.'))).toEqual(
          [],
        );
        came[generation === last ? 'last' : 'new'] += 1;
        last = generation;
      }
      expect(await node.ask('sync')).toMatchObject({ rule: `generation-${generations.commits.length - 1}` });
      await node.kill();
      console.log(`killed ${kill} times:`, came);
    },
    PATIENCE_MS,
  );
});

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('the service, killed at a random moment after its start', () => {
  const generations = new Generations();
  let host: GuardedHost;
  let service: RunningService;

  beforeAll(async () => {
    host = await GuardedHost.start();
  }, 60_000);
  afterAll(async () => {
    await service?.kill();
    await host?.stop();
    generations.remote.remove();
  }, 60_000);

  it(
    'says which revision it came back with, each time',
    async () => {
      const came = { last: 0, new: 0 };
      let last = generations.next();
      const git = { WARDEN_POLICY_GIT: generations.remote.url, WARDEN_LOG_LEVEL: 'info' };
      service = await host.serve(git);
      const began = performance.now();
      await service.until('the first is in force', () => /is in force/.test(service.log));
      await service.kill();
      last = generations.next();
      await service.begin();
      const answered = performance.now();
      await service.until('the second is in force', () => /is in force: /.test(service.log));
      const activationMs = performance.now() - answered;

      let kill = 0;
      for (; kill < OF_SERVICE && performance.now() - began < BUDGET_MS.service; kill += 1) {
        await service.kill();
        const next = generations.next();
        await service.begin();
        await sleep(Math.random() * 1.8 * activationMs);
        await service.kill();
        await service.begin();
        const { body } = await service.api<{ inForce?: { commit: string; id: string } }>(
          '/v1/policies/status',
        );
        const generation = generations.commits.indexOf(body.inForce!.commit);
        // It may have gone on to the new one before it was asked, and before it was killed.
        expect(generation).toBeGreaterThanOrEqual(last);
        expect(generation).toBeLessThanOrEqual(next);
        expect(service.log).toMatch(/revision [0-9a-f]{12} is in force, as before/);
        came[generation === last ? 'last' : 'new'] += 1;
        last = generation;
      }
      console.log(`killed ${kill} times:`, came);
    },
    PATIENCE_MS,
  );
});
