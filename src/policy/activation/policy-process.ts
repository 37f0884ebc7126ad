import type { ChildProcess } from 'node:child_process';
import { setImmediate as pause } from 'node:timers/promises';
import { PackAssembler } from '../../risk/pack-pieces.js';
import { RiskDatabase } from '../../risk/risk-database.js';
import { preparePolicies } from '../policy-in-force.js';
import type { PlacedRule, PolicySet } from '../policy-set.js';
import { SourceRefusal } from '../sources/source-refusal.js';
import type { CaseResult } from '../testing/test-runner.js';
import type { PolicyAnswer, PolicyJob } from './policy-job.js';
import type { RevisionRecord } from './revision-store.js';
import { SharedParts } from './shared-parts.js';
import { BEHIND_DECISIONS, startWorker } from './start-worker.js';

/** Milliseconds for reading, checking and testing a hundred thousand entries on a busy host. */
const TIMEOUT_MS = 10 * 60_000;
/** Of what it says before it ends by itself. */
const MAX_STDERR = 4096;

/** A revision that was read and tested, ready to decide by. */
export interface ReadyRevision {
  record: RevisionRecord;
  policy: PolicySet;
  risks: RiskDatabase;
  warnings: readonly string[];
  tests: number;
  failed: readonly CaseResult[];
}

/**
 * Reads revisions in a process of its own, which dies with this one: a thread would share the engine's helper threads and the
 * address space with decisions, and leave its memory behind.
 */
export class PolicyProcess {
  /**
   * @param program the compiled `policy-worker.ts`
   * @param ahead a process that was started with it already, and waits
   */
  constructor(
    private readonly program: string,
    private ahead?: ChildProcess,
  ) {}

  /**
   * @param signal ends it where nobody wants the answer any more
   * @throws SourceRefusal with all problems, a line each; the signal's reason
   */
  async run(job: PolicyJob, signal?: AbortSignal): Promise<ReadyRevision> {
    const rules: PlacedRule[] = [];
    const risks = new PackAssembler();
    const parts = new SharedParts();
    const take = (answer: PolicyAnswer & { kind: 'rules' | 'risks' }) => {
      if (answer.kind === 'risks') risks.add(answer.piece);
      else for (const rule of JSON.parse(answer.json) as PlacedRule[]) rules.push(parts.share(rule));
    };
    const done = await this.converse(job, take, signal);
    const { record, revision, exemptions, warnings, tests, failed } = done;
    const { commit, signer } = record;
    const policy: PolicySet = {
      revision,
      rules,
      exemptions,
      ...(commit !== undefined && { commit }),
      ...(signer !== undefined && { signer }),
    };
    await preparePolicies(policy, () => pause());
    return { record, policy, risks: new RiskDatabase(risks.finish()), warnings, tests, failed };
  }

  private async converse(
    job: PolicyJob,
    take: (answer: PolicyAnswer & { kind: 'rules' | 'risks' }) => void,
    signal?: AbortSignal,
  ): Promise<PolicyAnswer & { kind: 'done' }> {
    signal?.throwIfAborted();
    const child = this.worker();
    const gone = new Promise((resolve) => child.once('close', resolve).once('error', resolve));
    let timer: NodeJS.Timeout | undefined;
    let said = '';
    child.stderr!.on('data', (text: Buffer) => (said = (said + text.toString()).slice(-MAX_STDERR)));
    try {
      return await new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        timer = setTimeout(
          () =>
            reject(new SourceRefusal('timeout', `the revision was not read within ${TIMEOUT_MS / 1000} s`)),
          TIMEOUT_MS,
        );
        const send = (message: PolicyJob | 'next') =>
          void child.send(message, (error) => error && reject(error));
        child.on('message', (answer: PolicyAnswer) => {
          if (answer.kind === 'rules' || answer.kind === 'risks') {
            take(answer);
            // The next ones come when decisions have had their turn.
            void pause().then(() => child.connected && send('next'));
          } else if (answer.kind === 'done') resolve(answer);
          else reject(new SourceRefusal(answer.reason, answer.problems.join('\n'), answer.commit));
        });
        child.on('error', reject);
        child.on('close', (code, signal) => {
          // V8 aborts where its heap may not grow any more, and the kernel kills whom its memory is short for.
          if (signal === 'SIGABRT' || signal === 'SIGKILL') {
            reject(new SourceRefusal('too-large', 'reading the revision takes too much memory'));
          } else
            reject(new Error(`the process that reads revisions ended (${signal ?? code}): ${said.trim()}`));
        });
        send(job);
      });
    } finally {
      clearTimeout(timer);
      child.kill('SIGKILL');
      // Whatever it has begun to write is nobody's from here on.
      await gone;
    }
  }

  /** That which was started ahead, the first time. */
  private worker(): ChildProcess {
    const { ahead } = this;
    this.ahead = undefined;
    return ahead?.connected ? ahead : startWorker(this.program, BEHIND_DECISIONS);
  }
}
