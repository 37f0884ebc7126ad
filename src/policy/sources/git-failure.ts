import { withoutControls } from '../../documents/located-yaml.js';
import type { CommandResult } from './git-command.js';
import type { RefusalReason } from './source-refusal.js';

/** What git, ssh and curl say (in the C locale), and which reason that is; the first that fits counts. */
const REASONS: readonly (readonly [RegExp, RefusalReason])[] = [
  [/couldn't find remote ref|not our ref|no such remote ref/i, 'ref-missing'],
  // A child of git that ends without a word of its own was killed: by SIGXFSZ, since it wrote more than it may.
  [/^fatal: fetch-pack: invalid index-pack output\s*$|died of signal 25/, 'too-large'],
  [/File too large|out of memory|cannot allocate memory/i, 'too-large'],
  [/No space left|unable to write|disk quota/i, 'disk'],
  [
    /host key (is known|for .* has changed|verification failed)|certificate (problem|verification failed|subject name)|no alternative certificate/i,
    'untrusted',
  ],
  [
    /permission denied \(|authentication failed|could not read (username|password)|returned error: 40[13]|does not appear to be a git repository|repository .*not found/i,
    'access-denied',
  ],
  [
    /fsck error|index-pack failed|bad pack|protocol error|bad line length|invalid .*response|not valid: is this a git|unexpected|early EOF|corrupt/i,
    'garbage',
  ],
];

/** Why a remote was of no use. */
export function reasonOf({ stderr }: CommandResult): RefusalReason {
  return REASONS.find(([pattern]) => pattern.test(stderr))?.[1] ?? 'unreachable';
}

/** The one line of what a program complains about that says most, for a person. */
export function complaint({ stderr, code }: CommandResult): string {
  const lines = stderr.split('\n').filter((line) => line.trim() !== '');
  const telling =
    lines.find((line) => /^(No .* host key|Host key for|.*permission denied \()/i.test(line)) ??
    lines.find((line) => /^(fatal|error|ssh|remote)/i.test(line)) ??
    lines[0];
  return withoutControls(telling ?? `it ended with ${code}`).slice(0, 300);
}
