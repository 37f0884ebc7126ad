import { fork, type ChildProcess } from 'node:child_process';

/** Megabytes of the process's heap: a document that needs more is refused, and nothing else suffers. */
const MAX_HEAP_MB = 512;
/** It is over in seconds, and the host's memory is the guests': collected early rather than kept. */
const NODE_FLAGS = [
  `--max-old-space-size=${MAX_HEAP_MB}`,
  '--max-semi-space-size=4',
  '--heap-growing-percent=15',
];
/** Added to `nice` for what is read while the service works, from the first instruction on: decisions come first. */
export const BEHIND_DECISIONS = 10;

/**
 * Starts a process that waits for a `PolicyJob`. It dies with this one.
 *
 * @param program the compiled `policy-worker.ts`
 * @param nicer what is added to `nice`: nothing where the service waits for it
 */
export function startWorker(program: string, nicer = 0): ChildProcess {
  const child = fork(program, [], {
    execPath: 'nice',
    execArgv: ['-n', `${nicer}`, 'setpriv', '--pdeathsig', 'KILL', process.execPath, ...NODE_FLAGS],
    serialization: 'advanced',
    stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
  });
  // Who gives it a job finds out, perhaps later.
  child.on('error', () => undefined);
  return child;
}
