/**
 * Why a revision is not taken. Each is a metric's label and a word of the API, so none is ever renamed.
 * - `unreachable`, `timeout`: the remote does not answer, or not in time
 * - `untrusted`: its host key or certificate is not one that we trust
 * - `access-denied`: it does not let us in, or has no such repository: many say the same of both
 * - `garbage`: what it sent is not what Git expects
 * - `ref-missing`: it has no such branch, tag or commit
 * - `too-large`: it, or what is in it, is larger than a policy repository has any reason to be
 * - `unsigned`: the commit bears no signature, and one is required
 * - `signature-stripped`: the commit is one that was seen signed, without its signature
 * - `signature-invalid`: the signature is not one of this commit
 * - `signer-unknown`: it was made with a key that nobody has allowed
 * - `key-expired`: the key was allowed, and is no more, or has expired
 * - `rolled-back`: the branch went back to an older commit than the one that was accepted
 * - `rewritten`: the branch no longer holds the commit that was accepted
 * - `leads-outside`: a symbolic link or submodule stands where a document should
 * - `unreadable`: the directory cannot be read
 * - `invalid`: a document is wrong; `tests-failed`: a PolicyTest is
 * - `disk`: it cannot be kept on this host's disk
 */
export const REFUSAL_REASONS = [
  'unreachable',
  'timeout',
  'untrusted',
  'access-denied',
  'garbage',
  'ref-missing',
  'too-large',
  'unsigned',
  'signature-stripped',
  'signature-invalid',
  'signer-unknown',
  'key-expired',
  'rolled-back',
  'rewritten',
  'leads-outside',
  'unreadable',
  'invalid',
  'tests-failed',
  'disk',
] as const;
export type RefusalReason = (typeof REFUSAL_REASONS)[number];

/** A revision that is not taken. */
export class SourceRefusal extends Error {
  override readonly name = 'SourceRefusal';

  constructor(
    readonly reason: RefusalReason,
    message: string,
    /** The commit that it is about, where one was found. */
    readonly commit?: string,
  ) {
    super(message);
  }
}
