import { refusalsOf } from '../located-error.js';

/**
 * Exit codes of `wardenctl`, stable for scripts:
 * 0 done, 1 a fault of ours, 2 bad usage, bad input or nobody answers (the message names the place), 3 the decision is
 * `denied`, an audit found what it was to fail on, or an uninstallation needs a decision.
 */
export const EXIT = { ok: 0, fault: 1, badInput: 2, denied: 3 } as const;

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, null, 2)}\n`);
}

export function print(text: string): void {
  process.stdout.write(text.endsWith('\n') ? text : `${text}\n`);
}

/** Says on standard error what went wrong, and sets the exit code. */
export function fail(error: unknown): void {
  const refusals = refusalsOf(error);
  if (refusals) {
    for (const { message } of refusals) process.stderr.write(`wardenctl: ${message}\n`);
    process.exitCode = EXIT.badInput;
    return;
  }
  process.stderr.write(
    `wardenctl: ${error instanceof Error ? (error.stack ?? error.message) : String(error)}\n`,
  );
  process.exitCode = EXIT.fault;
}
