import { Script } from 'node:vm';

const script = new Script('runBounded()');

/**
 * Runs code that may loop for ever, also in a regular expression: only the engine itself can interrupt that.
 *
 * @param limitMs wall-clock time, at least 1
 * @throws Error with code ERR_SCRIPT_EXECUTION_TIMEOUT where it takes longer; and what the code throws
 */
export function bounded<T>(limitMs: number, run: () => T): T {
  const scope = globalThis as { runBounded?: () => T };
  scope.runBounded = run;
  try {
    return script.runInThisContext({ timeout: limitMs }) as T;
  } finally {
    delete scope.runBounded;
  }
}
