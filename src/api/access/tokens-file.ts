import { createHash, timingSafeEqual } from 'node:crypto';
import { LocatedError, refusalsOf } from '../../located-error.js';
import { FollowedFile } from '../../host/followed-file.js';
import type { Caller } from './caller.js';
import { MAX_TOKEN_LENGTH } from './token.js';
import { parseTokens } from './tokens-document.js';

/** Knows bearer tokens. */
export interface TokenRegister {
  /** Undefined for a token that is unknown or has expired. */
  callerOf(token: string): Caller | undefined;
}

interface KnownToken {
  caller: Caller;
  hash: Buffer;
  /** Milliseconds since the epoch. */
  expires: number;
}

const MAX_FILE_BYTES = 256 * 1024;

/** The tokens of a YAML file, which may change at any time; one that is broken leaves the tokens as they were. */
export class TokensFile implements TokenRegister {
  private known: readonly KnownToken[] = [];
  private readonly followed: FollowedFile;
  private problem: Error | undefined;

  private constructor(
    private readonly path: string,
    private readonly onProblem: (problem: Error) => void,
    private readonly now: () => number,
  ) {
    this.followed = new FollowedFile({
      path,
      maxBytes: MAX_FILE_BYTES,
      onText: (text) => this.take(text),
      onProblem: (problem) => this.refuse(problem),
    });
  }

  /**
   * Reads the file, and follows it from then on.
   *
   * @param onProblem told why a later version of the file does not count
   * @throws LocatedError, LocatedErrors where there is nothing to begin with
   */
  static async open(
    path: string,
    onProblem: (problem: Error) => void,
    now: () => number = Date.now,
  ): Promise<TokensFile> {
    const file = new TokensFile(path, onProblem, now);
    await file.followed.start();
    if (!file.problem) return file;
    file.close();
    throw file.problem;
  }

  callerOf(token: string): Caller | undefined {
    if (token.length > MAX_TOKEN_LENGTH) return undefined;
    const hash = createHash('sha256').update(token).digest();
    let found: KnownToken | undefined;
    // All are compared, each in constant time, so that the answer's delay tells nothing.
    for (const candidate of this.known) if (timingSafeEqual(candidate.hash, hash)) found = candidate;
    return found && this.now() < found.expires ? found.caller : undefined;
  }

  close(): void {
    this.followed.close();
  }

  private take(text: string | undefined): void {
    if (text === undefined) {
      return this.refuse(
        new LocatedError('it does not exist', this.path, 'Write it, or correct tokensFile.'),
      );
    }
    try {
      this.known = parseTokens(this.path, text).map(({ name, role, sha256, expires }) => ({
        caller: { actor: `token:${name}`, role },
        hash: Buffer.from(sha256, 'hex'),
        expires: expires === undefined ? Infinity : Date.parse(expires),
      }));
      this.problem = undefined;
    } catch (error) {
      if (!refusalsOf(error)) throw error;
      this.refuse(error as Error);
    }
  }

  private refuse(problem: Error): void {
    this.problem = problem;
    this.onProblem(problem);
  }
}
