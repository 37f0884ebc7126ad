import { createHash, randomBytes } from 'node:crypto';

/** Tells our tokens apart from others where one is found in a log or a repository. */
const PREFIX = 'vfw_';

/** Longer than any of ours: more is not hashed. */
export const MAX_TOKEN_LENGTH = 256;

/** A new bearer token of 256 random bits, in letters that need no quoting. Only its hash is kept. */
export function generateToken(): string {
  return PREFIX + randomBytes(32).toString('base64url');
}

/**
 * SHA-256 of a token in 64 hexadecimal digits, as the tokens file holds it. A slow hash would add nothing: there is no
 * dictionary of 256 random bits.
 */
export function hashToken(token: string): string {
  return createHash('sha256').update(token).digest('hex');
}
