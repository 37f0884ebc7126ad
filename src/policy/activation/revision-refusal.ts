import { SourceRefusal } from '../sources/source-refusal.js';
import type { ReadyRevision } from './policy-process.js';
import type { RefusalReport } from './policy-state.js';

const MAX_TOLD = 20;

/** @throws SourceRefusal where a PolicyTest of the revision fails, with the first of them */
export function refuseFailed({ failed, record }: ReadyRevision): void {
  if (failed.length === 0) return;
  const lines = failed.map(({ test, name, failures }) => `${test}: ${name}: ${failures.join('; ')}`);
  throw new SourceRefusal('tests-failed', lines.slice(0, MAX_TOLD).join('\n'), record.commit);
}

/** An error as the refusal that it is, what the disk does not take among them; undefined where it is a fault of ours. */
export function asRefusal(error: unknown): SourceRefusal | undefined {
  if (error instanceof SourceRefusal) return error;
  if (
    error instanceof Error &&
    'code' in error &&
    typeof error.code === 'string' &&
    /^E[A-Z]+$/.test(error.code)
  ) {
    return new SourceRefusal('disk', `${error.message.slice(0, 200)}`);
  }
  return undefined;
}

/** A refusal as people and machines are told of it. */
export function reportOf({ reason, message, commit }: SourceRefusal): RefusalReport {
  return {
    reason,
    detail: `${commit === undefined ? '' : `commit ${commit.slice(0, 12)}: `}${message}`,
    ...(commit !== undefined && { commit }),
  };
}

/** Whether looking again at the same revision would come to the same: a disk may have room again, a document stays wrong. */
export function isFinal({ reason }: SourceRefusal): boolean {
  return reason === 'invalid' || reason === 'tests-failed';
}
