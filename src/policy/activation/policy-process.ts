import { constants } from 'node:os';
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
import type { WorkerStarter } from './worker-starter.js';

/** Milliseconds for reading, checking and testing a hundred thousand entries on a busy host. */
const TIMEOUT_MS = 10 * 60_000;
/** Added to `nice` for what is read while the service works, from the first instruction on: decisions come first. */
const BEHIND_DECISIONS = 10;
/** How a shell tells of a process that a signal ended: V8 aborts where its heap may not grow any more, and the kernel kills. */
const OUT_OF_MEMORY = [128 + constants.signals.SIGABRT, 128 + constants.signals.SIGKILL];

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
  /** The one worker's last job. */
  private last: Promise<unknown> = Promise.resolve();

  constructor(private readonly starter: WorkerStarter) {}

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
    const turn = this.last.then(() => this.converse(job, take, signal));
    this.last = turn.catch(() => undefined);
    const answer = await turn;
    if (answer.kind === 'refused') {
      throw new SourceRefusal(answer.reason, answer.problems.join('\n'), answer.commit);
    }
    const { record, revision, exemptions, warnings, tests, failed } = answer;
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
  ): Promise<PolicyAnswer & { kind: 'done' | 'refused' }> {
    signal?.throwIfAborted();
    const { channel, ended } = this.starter.take(BEHIND_DECISIONS);
    let timer: NodeJS.Timeout | undefined;
    let listen: ((answer: PolicyAnswer) => void) | undefined;
    try {
      return await new Promise((resolve, reject) => {
        signal?.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
        timer = setTimeout(
          () =>
            reject(new SourceRefusal('timeout', `the revision was not read within ${TIMEOUT_MS / 1000} s`)),
          TIMEOUT_MS,
        );
        const send = (message: PolicyJob | 'next') =>
          // Why it does not listen any more says more.
          void channel.send(message, (error) => error && void ended.then(() => reject(error)));
        listen = (answer) => {
          if (answer.kind === 'rules' || answer.kind === 'risks') {
            take(answer);
            // The next ones come when decisions have had their turn.
            void pause().then(() => channel.connected && send('next'));
          } else void ended.then(() => resolve(answer));
        };
        channel.on('message', listen);
        void ended.then(({ status, said }) => {
          // After 0 the answer is on its way.
          if (status === 0) return;
          if (status !== undefined && OUT_OF_MEMORY.includes(status)) {
            reject(new SourceRefusal('too-large', 'reading the revision takes too much memory'));
          } else reject(new Error(`the process that reads revisions ended (${status ?? 'shell'}): ${said}`));
        });
        send(job);
      });
    } catch (error) {
      // Whatever it has begun to write is nobody's from here on.
      await this.starter.discard();
      throw error;
    } finally {
      clearTimeout(timer);
      if (listen) channel.off('message', listen);
    }
  }
}
