import { decide } from '../../decision/decide.js';
import type { DecideInput } from '../../decision/decide-input.js';
import type { Decision } from '../../decision/decision.js';
import { LocatedError } from '../../located-error.js';

/** A domain as a change of policy is judged by it. */
export interface JudgedDomain {
  name: string;
  uuid?: string;
  xml: string;
  domainState: DecideInput['domainState'];
  ranRestricted: readonly string[];
}

/** What decisions are made of, but for the domain. */
export type EffectBasis = Pick<
  DecideInput,
  'inventory' | 'host' | 'policy' | 'risks' | 'node' | 'hostMode' | 'hostdevNetworks' | 'evaluatedAt'
>;

/** What another policy would change for one domain. */
export interface DomainEffect {
  domain: string;
  uuid?: string;
  before: Decision['verdict'];
  after: Decision['verdict'];
  /** It is not denied now and would be. */
  denied: boolean;
  /** Its guest would get other hardware at its next start than it gets now. */
  hardware: boolean;
  /** What changes and why, one line each; empty where nothing does. */
  changes: string[];
}

/** What another policy would change for some domains. */
export interface PolicyEffect {
  /** Domains that were looked at: those with assigned devices. */
  looked: number;
  /** Domains for which anything changes. */
  affected: DomainEffect[];
  /** Those that would be denied, or get other guest hardware. */
  disruptive: number;
  /** Domains whose document could not be judged, with the reason. */
  unjudged: string[];
}

/** Judges domains one at a time, so that the caller can let others have their turn between. */
export class EffectReckoner {
  private readonly effect: PolicyEffect = { looked: 0, affected: [], disruptive: 0, unjudged: [] };

  constructor(
    private readonly before: EffectBasis,
    private readonly after: EffectBasis,
  ) {}

  look(domain: JudgedDomain): void {
    try {
      this.judge(domain);
    } catch (error) {
      if (!(error instanceof LocatedError)) throw error;
      this.effect.unjudged.push(`${domain.name}: ${error.message}`);
    }
  }

  result(): PolicyEffect {
    return this.effect;
  }

  private judge({ name, uuid, ...given }: JudgedDomain): void {
    const input = { ...given, guestHardware: 'may-change' as const };
    const before = decide({ ...this.before, ...input }).decision;
    if (before.devices.length === 0) return;
    this.effect.looked += 1;
    const after = decide({ ...this.after, ...input }).decision;
    const denied = after.verdict === 'denied' && before.verdict !== 'denied';
    const hardware = after.verdict !== 'denied' && hardwareOf(after) !== hardwareOf(before);
    const changes = changesOf(before, after);
    if (denied || hardware) this.effect.disruptive += 1;
    if (changes.length === 0 && !denied && !hardware) return;
    this.effect.affected.push({
      domain: name,
      ...(uuid !== undefined && { uuid }),
      before: before.verdict,
      after: after.verdict,
      denied,
      hardware,
      changes,
    });
  }
}

/** What the guest would get at its next start because of a decision. */
function hardwareOf({ edits, moves }: Decision): string {
  return JSON.stringify([edits.map(({ kind, target }) => [kind, target]), moves]);
}

function changesOf(before: Decision, after: Decision): string[] {
  const lines: string[] = [];
  const say = (place: string, what: string, was: string, is: string) => {
    if (was !== is) lines.push(`${place}: ${what} ${was || 'none'} -> ${is || 'none'}`);
  };
  for (const [index, device] of after.devices.entries()) {
    const was = before.devices[index];
    if (!was) continue;
    const place = device.source ?? device.reference ?? device.place;
    const because = device.rule
      ? ` (rule ${device.rule.policy}/${device.rule.name} in ${device.rule.file})`
      : '';
    say(place, 'verdict', was.verdict, `${device.verdict}${was.verdict === device.verdict ? '' : because}`);
    say(place, 'rule', ruleOf(was), ruleOf(device));
    say(place, 'exemption', exemptionsOf(was), exemptionsOf(device));
    say(place, 'required', was.required.join(' '), device.required.join(' '));
    say(place, 'mechanisms', mechanismsOf(was), mechanismsOf(device));
  }
  const gone = before.edits.filter(({ summary }) => after.edits.every((edit) => edit.summary !== summary));
  const come = after.edits.filter(({ summary }) => before.edits.every((edit) => edit.summary !== summary));
  lines.push(...gone.map(({ target, summary }) => `no more: ${target}: ${summary}`));
  lines.push(...come.map(({ target, summary }) => `${target}: ${summary}`));
  return lines;
}

type Device = Decision['devices'][number];

function ruleOf({ rule, mode }: Device): string {
  return rule ? `${rule.policy}/${rule.name} (${mode})` : '';
}

function exemptionsOf({ exemptions = [] }: Device): string {
  return exemptions.map(({ name, expires }) => `${name} until ${expires}`).join(', ');
}

function mechanismsOf({ plan }: Device): string {
  return plan.mechanisms.map(({ name }) => name).join(' ');
}
