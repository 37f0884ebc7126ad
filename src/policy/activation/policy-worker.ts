import 'reflect-metadata';
import { once } from 'node:events';
import { refusalsOf } from '../../located-error.js';
import { RiskDatabase } from '../../risk/risk-database.js';
import { piecesOf } from '../../risk/pack-pieces.js';
import { baseRisksOf, compileBundle } from '../bundle/compile-bundle.js';
import { DirectoryReader } from '../bundle/directory-reader.js';
import { GitReader } from '../sources/git-reader.js';
import { SourceRefusal } from '../sources/source-refusal.js';
import { runPolicyTests } from '../testing/test-runner.js';
import type { PolicyAnswer, PolicyJob } from './policy-job.js';
import { readSettled } from './settled-directory.js';
import { RevisionStore, type RevisionRecord } from './revision-store.js';

/** Rules in one message: less than a millisecond's work for who takes it. */
const RULES_A_MESSAGE = 50;

/** Nobody reads more of them. */
const MAX_WARNINGS = 100;

/** Runs in a process of its own, so that reading and checking documents keeps no decision waiting. */
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
    const json = JSON.stringify(policy.rules.slice(at, at + RULES_A_MESSAGE));
    await handOver({ kind: 'rules', json });
  }
  for (const piece of piecesOf(compiled.risks)) await handOver({ kind: 'risks', piece });
  await answer({
    kind: 'done',
    record,
    revision: policy.revision,
    // Messages carry plain data only.
    exemptions: JSON.parse(JSON.stringify(policy.exemptions ?? [])) as NonNullable<typeof policy.exemptions>,
    warnings: warnings.slice(0, MAX_WARNINGS).map(({ message }) => message),
    tests: results.length,
    failed: results.filter(({ failures }) => failures.length > 0),
  });
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

/** Answers, and waits until it was taken in. */
async function handOver(message: PolicyAnswer): Promise<void> {
  const taken = once(process, 'message');
  await answer(message);
  await taken;
}

function answer(message: PolicyAnswer): Promise<void> {
  return new Promise((resolve, reject) => {
    process.send!(message, (error: Error | null) => (error ? reject(error) : resolve()));
  });
}

const [job] = (await once(process, 'message')) as [PolicyJob];
try {
  await run(job);
} catch (error) {
  const problems = refusalsOf(error);
  const code = error instanceof Error && 'code' in error ? String(error.code) : '';
  if (error instanceof SourceRefusal) {
    const { reason, message, commit } = error;
    await answer({ kind: 'refused', reason, problems: [message], ...(commit !== undefined && { commit }) });
  } else if (problems) {
    await answer({
      kind: 'refused',
      reason: 'invalid',
      problems: problems.slice(0, 100).map(({ message }) => message),
    });
  } else if (/^(ENOSPC|EDQUOT|EROFS|EIO|EACCES|EFBIG|ENOENT)$/.test(code)) {
    await answer({ kind: 'refused', reason: 'disk', problems: [`it cannot be kept (${code})`] });
  } else throw error;
}
// The channel would keep the process.
process.disconnect();
