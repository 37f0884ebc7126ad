import { setImmediate as pause } from 'node:timers/promises';
import { Worker } from 'node:worker_threads';
import { RiskDatabase } from '../../risk/risk-database.js';
import { preparePolicies } from '../policy-in-force.js';
import type { PlacedRule, PolicySet } from '../policy-set.js';
import { SourceRefusal } from '../sources/source-refusal.js';
import type { CaseResult } from '../testing/test-runner.js';
import type { PolicyAnswer, PolicyJob } from './policy-job.js';
import type { RevisionRecord } from './revision-store.js';

/** Milliseconds for reading, checking and testing a hundred thousand entries on a busy host. */
const TIMEOUT_MS = 10 * 60_000;
/** Megabytes of the thread's heap: a document that needs more is refused, and nothing else suffers. */
const MAX_HEAP_MB = 512;

/** A revision that was read and tested, ready to decide by. */
export interface ReadyRevision {
  record: RevisionRecord;
  policy: PolicySet;
  risks: RiskDatabase;
  warnings: readonly string[];
  tests: number;
  failed: readonly CaseResult[];
}

/** Reads revisions in a thread of its own. */
export class PolicyThread {
  /** @param file the compiled program of the thread, where it is not the one beside this file */
  /** @param program the compiled `policy-worker.ts` */
  constructor(private readonly program: string) {}

  /**
   * @param signal ends it where nobody wants the answer any more
   * @throws SourceRefusal with all problems, a line each; the signal's reason
   */
  async run(job: PolicyJob, signal?: AbortSignal): Promise<ReadyRevision> {
    const rules: PlacedRule[] = [];
    const done = await this.converse(
      job,
      (json) => rules.push(...(JSON.parse(json) as PlacedRule[])),
      signal,
    );
    const { record, revision, exemptions, risks, warnings, tests, failed } = done;
    const { commit, signer } = record;
    const policy: PolicySet = {
      revision,
      rules,
      exemptions,
      ...(commit !== undefined && { commit }),
      ...(signer !== undefined && { signer }),
    };
    await preparePolicies(policy, () => pause());
    return { record, policy, risks: new RiskDatabase(risks), warnings, tests, failed };
  }

  private async converse(
    job: PolicyJob,
    take: (json: string) => void,
    signal?: AbortSignal,
  ): Promise<PolicyAnswer & { kind: 'done' }> {
    signal?.throwIfAborted();
    const worker = this.start(job);
    try {
      return await new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        const timer = setTimeout(
          () =>
            reject(new SourceRefusal('timeout', `the revision was not read within ${TIMEOUT_MS / 1000} s`)),
          TIMEOUT_MS,
        );
        worker.on('message', (answer: PolicyAnswer) => {
          if (answer.kind === 'rules') {
            take(answer.json);
            // The next ones come when decisions have had their turn.
            void pause().then(() => worker.postMessage('next', []));
            return;
          }
          clearTimeout(timer);
          if (answer.kind === 'done') resolve(answer);
          else reject(new SourceRefusal(answer.reason, answer.problems.join('\n'), answer.commit));
        });
        worker.on('error', (error: NodeJS.ErrnoException) => {
          clearTimeout(timer);
          const tooMuch = error.code === 'ERR_WORKER_OUT_OF_MEMORY';
          reject(
            tooMuch ? new SourceRefusal('too-large', 'reading the revision takes too much memory') : error,
          );
        });
        worker.on('exit', () => {
          clearTimeout(timer);
          reject(new SourceRefusal('invalid', 'the thread that read the revision ended without an answer'));
        });
      });
    } finally {
      await worker.terminate();
    }
  }

  private start(workerData: PolicyJob): Worker {
    const resourceLimits = { maxOldGenerationSizeMb: MAX_HEAP_MB, maxYoungGenerationSizeMb: 16 };
    return new Worker(this.program, { workerData, resourceLimits });
  }
}
