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
