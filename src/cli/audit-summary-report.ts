import type { AuditSummary } from '../audit/audit-summary.js';
import type { Outcome } from '../audit/domain-audit.js';
import type { Unseen } from '../audit/seen-domain.js';
import { withoutControls } from '../documents/located-yaml.js';
import { fold, type Style, type Terminal } from './terminal.js';

/** The worst first, each with what it means for the domains that are named after it. */
const OUTCOMES: readonly [Outcome, string, Style?][] = [
  ['refused', 'would be refused', 'red'],
  ['impossible', 'would stay as exposed as they are', 'red'],
  ['partly', 'would be protected in part', 'yellow'],
  ['protected', 'would be protected as the policy asks', 'green'],
  ['in-force', 'would stay: they have what the policy asks for', 'green'],
  ['exempt', 'would be left alone: protecting them breaks a device'],
  ['nothing-required', 'would be left alone: the policy asks for nothing'],
];

/** More names than this tell nobody anything. */
const MAX_NAMED = 8;

/** The end of an audit: what a whole host comes to. */
export function summaryLines(
  summary: AuditSummary,
  unseen: readonly Unseen[],
  { width, paint }: Terminal,
): string[] {
  const lines: string[] = [];
  const say = (text: string, style?: Style, indent = 0) => {
    const folded = fold(' '.repeat(indent), withoutControls(text), width);
    lines.push(...folded.map((line) => (style ? paint(style, line) : line)));
  };

  lines.push('', paint('bold', 'Summary'));
  say(
    `${count(summary.domains, 'domain')} (${summary.running} running), ${summary.withAssignedDevices} with ` +
      `${count(summary.assignedDevices, 'assigned device')}`,
    undefined,
    2,
  );
  const crash = summary.exposedToHostCrash;
  if (crash.length > 0) {
    say(
      `${crash.length} can crash the host by what is known of a device or its class: ${names(crash)}`,
      'red',
      2,
    );
  } else if (summary.withAssignedDevices > 0) {
    say('none is known to be able to crash the host', 'green', 2);
  }
  const severities = Object.entries(summary.openRisks).map(([severity, risks]) => `${risks} ${severity}`);
  if (severities.length > 0) say(`open risks: ${severities.join(', ')}`, undefined, 2);

  const outcomes = OUTCOMES.filter(([outcome]) => summary.enforcing[outcome]);
  if (outcomes.length > 0) {
    lines.push('', paint('bold', 'Were every rule of this policy enforced, from the next start on'));
    for (const [outcome, meaning, style] of outcomes) {
      const domains = summary.enforcing[outcome]!;
      say(`${domains.length} ${meaning}: ${names(domains)}`, style, 2);
    }
    if (summary.betterIfNew.length > 0) {
      say(
        `defined anew, ${summary.betterIfNew.length} would come off better: ${names(summary.betterIfNew)}`,
        undefined,
        2,
      );
    }
  }
  if (summary.staysOpen.length > 0) {
    const exposures = summary.staysOpen.map(
      ({ exposure, devices }) => `${exposure} (${count(devices, 'device')})`,
    );
    say(`asked for, but would stay open: ${exposures.join(', ')}`, 'yellow', 2);
    lines.push('', paint('bold', 'Why not more'));
    for (const { mechanism, reason, devices } of summary.whyNot) {
      lines.push(
        ...fold(`  ${mechanism}: `, withoutControls(`${reason} (${count(devices, 'device')})`), width),
      );
    }
  }
  if (unseen.length > 0) {
    lines.push('', paint('bold', 'Not seen'));
    for (const { what, problem } of unseen)
      lines.push(...fold('  ', withoutControls(`${what}: ${problem}`), width));
  }
  return lines;
}

function names(domains: readonly string[]): string {
  const named = domains.slice(0, MAX_NAMED).join(', ');
  const left = domains.length - MAX_NAMED;
  return left > 0 ? `${named} and ${left} more` : named;
}

function count(number: number, noun: string): string {
  return `${number} ${noun}${number === 1 ? '' : 's'}`;
}
