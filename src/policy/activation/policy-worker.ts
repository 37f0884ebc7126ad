import 'reflect-metadata';
import { once } from 'node:events';
import { getPriority, setPriority } from 'node:os';
import { parentPort, workerData } from 'node:worker_threads';
import { refusalsOf } from '../../located-error.js';
import { RiskDatabase } from '../../risk/risk-database.js';
import { buffersOf, type RiskPack } from '../../risk/risk-pack.js';
import { baseRisksOf, compileBundle } from '../bundle/compile-bundle.js';
import { DirectoryReader } from '../bundle/directory-reader.js';
import { GitReader } from '../sources/git-reader.js';
import { SourceRefusal } from '../sources/source-refusal.js';
import { runPolicyTests } from '../testing/test-runner.js';
import type { PolicyAnswer, PolicyJob } from './policy-job.js';
import { readSettled } from './settled-directory.js';
import { RevisionStore, type RevisionRecord } from './revision-store.js';

/** Rules in one message: less than a millisecond's work for who takes it. */
const RULES_A_MESSAGE = 100;

/** Nobody reads more of them. */
const MAX_WARNINGS = 100;

/** Added to `nice`, of this thread alone (setpriority(2) of Linux): decisions come first where processors are scarce. */
const NICER = 5;
const MOST_NICE = 19;

/** Runs in a thread of its own, so that reading and checking documents keeps no decision waiting. */
async function run(job: PolicyJob): Promise<void> {
  const store = new RevisionStore(job.store);
  const record = await bringToDisk(job, store);
  const { bundle, base } = store.readersOf(record);
  const compiled = await compileBundle(bundle, base);
  const { policy, tests, warnings } = compiled;
  const results = await runPolicyTests(tests, {
    policy,
    risks: new RiskDatabase(compiled.risks),
    readFile: async (path) => (await bundle.read(path)).toString(),
  });
  for (let at = 0; at < policy.rules.length; at += RULES_A_MESSAGE) {
    const taken = once(parentPort!, 'message');
    answer({ kind: 'rules', json: JSON.stringify(policy.rules.slice(at, at + RULES_A_MESSAGE)) });
    await taken;
  }
  const done: PolicyAnswer = {
    kind: 'done',
    record,
    revision: policy.revision,
    // Messages carry plain data only.
    exemptions: JSON.parse(JSON.stringify(policy.exemptions ?? [])) as NonNullable<typeof policy.exemptions>,
    risks: compiled.risks,
    warnings: warnings.slice(0, MAX_WARNINGS).map(({ message }) => message),
    tests: results.length,
    failed: results.filter(({ failures }) => failures.length > 0),
  };
  answer(done, compiled.risks);
}

async function bringToDisk(
  { from, provenance, now }: PolicyJob,
  store: RevisionStore,
): Promise<RevisionRecord> {
  if (from.kind === 'stored') {
    const record = await store.record(from.id);
    if (record) return record;
    throw new SourceRefusal(
      'disk',
      `revision ${from.id.slice(0, 12)} is not on this host's disk, or not whole`,
    );
  }
  if (from.kind === 'directory') {
    const base = await baseRisksOf(from.directory, from.baseRisks);
    return readSettled(from.directory, (reader) => store.save(reader, base, provenance, now));
  }
  const reader = new GitReader(from.repository, from.commit, from.path);
  return store.save(reader, new DirectoryReader(from.baseRisks), provenance, now);
}

function answer(message: PolicyAnswer, risks?: RiskPack): void {
  parentPort!.postMessage(message, risks ? buffersOf(risks) : []);
}

setPriority(Math.min(MOST_NICE, getPriority() + NICER));
try {
  await run(workerData as PolicyJob);
} catch (error) {
  const problems = refusalsOf(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (error instanceof SourceRefusal) {
    const { reason, message, commit } = error;
    answer({ kind: 'refused', reason, problems: [message], ...(commit !== undefined && { commit }) });
  } else if (problems) {
    answer({
      kind: 'refused',
      reason: 'invalid',
      problems: problems.slice(0, 100).map(({ message }) => message),
    });
  } else if (/^(ENOSPC|EDQUOT|EROFS|EIO|EACCES|EFBIG|ENOENT)$/.test(code)) {
    answer({ kind: 'refused', reason: 'disk', problems: [`it cannot be kept (${code})`] });
  } else throw error;
}
// The port would keep the thread.
parentPort!.unref();
