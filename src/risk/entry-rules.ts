import { deviceIdsOf, hexRange, MAX_DEVICE_IDS, type DeviceMatch } from './device-match.js';
import type { RegisterNeed, RiskEntry } from './risk-entry.js';

/** A field that is well-formed by itself, but not beside the others. */
export interface RuleViolation {
  /** Field path inside the entry, `['match', '0', 'device']`. */
  path: string[];
  problem: string;
  remedy: string;
}

/** What the fields of one entry must be to each other. Expects an entry whose fields are each valid. */
export function violatedRules(entry: RiskEntry): RuleViolation[] {
  const found: RuleViolation[] = [];
  const check = (violated: boolean, path: string[], problem: string, remedy: string) => {
    if (violated) found.push({ path, problem, remedy });
  };
  const compatibility = entry.effect === 'compatibility';
  const mirrored = entry.exposures.includes('config-mirror-in-bar');

  for (const [index, match] of entry.match.entries()) {
    found.push(...below(['match', String(index)], violatedMatchRules(match)));
  }
  for (const [index, need] of (entry.needs ?? []).entries()) {
    found.push(...below(['needs', String(index)], violatedNeedRules(need)));
  }
  check(
    compatibility && (entry.needs === undefined || entry.exposures.length === 0),
    ['effect'],
    'a compatibility entry must say which registers are needed, and which exposures they lie in',
    'Give needs and exposures.',
  );
  check(
    !compatibility && entry.needs !== undefined,
    ['needs'],
    'needs belong to effect compatibility',
    'Make it an entry of its own.',
  );
  check(
    !compatibility && mirrored !== (entry.mirrors !== undefined),
    [entry.mirrors === undefined ? 'exposures' : 'mirrors'],
    'mirrors and the exposure config-mirror-in-bar come only together',
    'Give both, or neither.',
  );
  check(
    entry.limits === undefined && (entry.exposures.length === 0 || entry.scope === 'bare-metal'),
    ['limits'],
    'an entry that vfio-warden can do nothing about must say so',
    'Write in limits what stays as it is.',
  );
  return found;
}

function below(path: string[], violations: RuleViolation[]): RuleViolation[] {
  return violations.map((violation) => ({ ...violation, path: [...path, ...violation.path] }));
}

function violatedMatchRules(match: DeviceMatch): RuleViolation[] {
  const found: RuleViolation[] = [];
  const requires = (field: keyof DeviceMatch, other: keyof DeviceMatch) => {
    if (match[field] === undefined || match[other] !== undefined) return;
    found.push({ path: [field], problem: `${field} needs ${other}`, remedy: `Give ${other} too.` });
  };
  requires('device', 'vendor');
  requires('subsystemVendor', 'device');
  requires('subsystemDevice', 'subsystemVendor');
  if (match.device !== undefined && match.class !== undefined) {
    const problem = 'a device is matched by its ids or by its class';
    found.push({ path: ['class'], problem, remedy: 'Leave out one.' });
  }
  if (match.revision !== undefined && isBackwards(match.revision)) {
    found.push(backwards(['revision'], match.revision));
  }
  const ranges = match.device ?? [];
  for (const range of ranges) {
    if (isBackwards(range)) found.push(backwards(['device'], range));
  }
  const count = ranges.map(hexRange).reduce((sum, [from, to]) => sum + to - from + 1, 0);
  const path = ['device'];
  if (count > MAX_DEVICE_IDS) {
    const remedy = `Name at most ${MAX_DEVICE_IDS}, or match by class.`;
    found.push({ path, problem: `the rule names ${count} device ids`, remedy });
    return found;
  }
  const twice = firstRepeated(deviceIdsOf(match) ?? []);
  if (twice !== undefined) {
    found.push({ path, problem: `${twice} is named twice`, remedy: 'Name each device once.' });
  }
  return found;
}

function violatedNeedRules({ registers }: RegisterNeed): RuleViolation[] {
  const found: RuleViolation[] = [];
  if (registers.length > 1 && registers.includes('unknown')) {
    const problem = 'unknown stands beside offsets';
    found.push({ path: ['registers'], problem, remedy: 'Write unknown alone.' });
  }
  for (const range of registers) {
    if (isBackwards(range)) found.push(backwards(['registers'], range));
  }
  return found;
}

function firstRepeated(ids: readonly string[]): string | undefined {
  const seen = new Set<string>();
  return ids.find((id) => seen.size === seen.add(id).size);
}

function isBackwards(range: string): boolean {
  const [from, to] = hexRange(range);
  return from > to;
}

function backwards(path: string[], range: string): RuleViolation {
  return { path, problem: `the range ${range} runs backwards`, remedy: 'Write the lower end first.' };
}
