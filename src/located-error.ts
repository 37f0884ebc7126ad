/** A refusal of input from outside: it names the place and the remedy, so that whoever sent it can mend it. */
export class LocatedError extends Error {
  override readonly name = 'LocatedError';

  constructor(
    /** What is wrong, without the place. */
    readonly problem: string,
    /** Where: `FILE:LINE:COLUMN`, `line 3, column 7`, a field path, or a BDF. */
    readonly place: string,
    /** What to do about it. */
    readonly remedy: string,
  ) {
    super(`${place}: ${problem}. ${remedy}`);
  }
}

/** More would bury the first ones; input from outside could have any number. */
const MAX_TOLD = 50;

/** Several refusals of one input, all that were found: a person mends them in one go. */
export class LocatedErrors extends Error {
  override readonly name = 'LocatedErrors';

  constructor(readonly problems: readonly LocatedError[]) {
    const told = problems.slice(0, MAX_TOLD).map(({ message }) => message);
    const left = problems.length - told.length;
    super([...told, ...(left > 0 ? [`and ${left} more`] : [])].join('\n'));
  }
}

/** The refusals that an error stands for; undefined for an error that is none. */
export function refusalsOf(error: unknown): readonly LocatedError[] | undefined {
  if (error instanceof LocatedError) return [error];
  return error instanceof LocatedErrors ? error.problems : undefined;
}
