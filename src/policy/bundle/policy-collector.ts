import { canonicalJson, sha256 } from '../../canonical-json.js';
import type { LocatedYaml } from '../../documents/located-yaml.js';
import { LocatedError } from '../../located-error.js';
import { timeOf } from '../document-time.js';
import type { ExemptionDocument } from '../exemption-document.js';
import type { PolicyDocument } from '../policy-document.js';
import type { PlacedExemption, PlacedRule, PolicySet } from '../policy-set.js';
import { OverlapFinder } from './overlap-finder.js';

/** Days that an exemption may last where no policy says. */
export const DEFAULT_LONGEST_DAYS = 90;

const DAY_MS = 24 * 60 * 60 * 1000;

type PlaceOf = LocatedYaml['placeOf'];

interface Noted {
  place: string;
  name: string;
  /** Canonical JSON of what the rule does. */
  does: string;
}

/** Makes one set of rules and exemptions, and finds what does not go together. */
export class PolicyCollector {
  private readonly rules: PlacedRule[] = [];
  private readonly exemptions: { exemption: PlacedExemption; place: string }[] = [];
  private readonly policyNames = new Map<string, string>();
  private readonly exemptionNames = new Map<string, string>();
  /** By canonical JSON of scope and match. */
  private readonly matches = new Map<string, Noted>();
  private readonly warnings: LocatedError[] = [];
  private readonly overlaps = new OverlapFinder<Noted>();
  private longestDays: number | undefined;

  addPolicy({ metadata, spec }: PolicyDocument, file: string, placeOf: PlaceOf): LocatedError[] {
    const policy = metadata.name;
    const { scope, exemptions } = spec;
    const problems = unique(this.policyNames, policy, placeOf(['metadata', 'name']), 'policy');
    if (exemptions) this.longestDays = Math.min(this.longestDays ?? Infinity, exemptions.longestDays);
    const names = new Map<string, string>();
    for (const [index, rule] of spec.rules.entries()) {
      const path = ['spec', 'rules', String(index)];
      const place = placeOf([...path, 'name']);
      problems.push(...unique(names, rule.name, place, 'rule'));
      if (rule.rollout && rule.mode !== 'enforce') {
        const problem = `the rule has a rollout, but its mode is ${rule.mode}`;
        problems.push(
          new LocatedError(problem, placeOf([...path, 'rollout']), 'Write mode enforce, or remove it.'),
        );
      }
      const placed: PlacedRule = { policy, file, rule, ...(scope && { scope }) };
      problems.push(...this.findContradiction(placed, place));
      this.rules.push(placed);
    }
    return problems;
  }

  addExemption({ metadata, spec }: ExemptionDocument, file: string, placeOf: PlaceOf): LocatedError[] {
    const { name } = metadata;
    const place = placeOf(['spec', 'expires']);
    const problems = unique(this.exemptionNames, name, placeOf(['metadata', 'name']), 'exemption');
    if (!spec.match.devices && !spec.match.domains) {
      problems.push(
        new LocatedError(
          'the exemption selects neither devices nor domains',
          placeOf(['spec', 'match']),
          'Say whom it is for.',
        ),
      );
    }
    if (timeOf(spec.expires) <= timeOf(spec.from)) {
      problems.push(
        new LocatedError('the exemption ends before it begins', place, 'Write a time after from.'),
      );
    }
    this.exemptions.push({ exemption: { name, file, ...spec }, place });
    return problems;
  }

  finish(): { policy: PolicySet; problems: LocatedError[]; warnings: LocatedError[] } {
    const longest = this.longestDays ?? DEFAULT_LONGEST_DAYS;
    const problems = this.exemptions
      .filter(({ exemption: { from, expires } }) => timeOf(expires) - timeOf(from) > longest * DAY_MS)
      .map(({ place }) => {
        const said = this.longestDays === undefined ? 'unless a policy says so' : 'as policy says';
        return new LocatedError(
          `the exemption lasts longer than ${longest} days`,
          place,
          `Write a time at most ${longest} days after from, ${said}.`,
        );
      });
    const exemptions = this.exemptions.map(({ exemption }) => exemption);
    return {
      policy: { revision: revisionOf(this.rules, exemptions), rules: this.rules, exemptions },
      problems,
      warnings: this.overlaps.exhausted ? [...this.warnings, notAllCompared()] : this.warnings,
    };
  }

  /** The first rule that matches decides, so what comes later for the very same devices is never asked. */
  private findContradiction({ policy, rule, scope }: PlacedRule, place: string): LocatedError[] {
    const { name, description: _, match, ...action } = rule;
    const noted: Noted = { place, name: `${policy}/${name}`, does: canonicalJson(action) };
    const key = canonicalJson({ scope, match: match ?? {} });
    const earlier = this.matches.get(key);
    if (!earlier) {
      this.matches.set(key, noted);
      this.findOverlap({ rule, ...(scope && { scope }) }, noted);
      return [];
    }
    const where = `${earlier.name} at ${earlier.place}`;
    if (earlier.does === noted.does) {
      this.warnings.push(
        new LocatedError(`rule ${noted.name} repeats ${where}`, place, 'Remove one of them.'),
      );
      return [];
    }
    return [
      new LocatedError(
        `rule ${noted.name} contradicts ${where}, which matches the same and comes first`,
        place,
        'Keep one of them, or make one match more specific.',
      ),
    ];
  }

  /** Rules that match the same only in part are a matter of taste, as long as somebody knows of it. */
  private findOverlap(rule: Pick<PlacedRule, 'rule' | 'scope'>, noted: Noted): void {
    const overlap = this.overlaps.add(rule, noted);
    if (!overlap) return;
    const { name, place } = overlap.earlier;
    const [problem, remedy] =
      overlap.kind === 'hides'
        ? [
            `rule ${noted.name} is never reached: ${name} at ${place} matches all that it matches`,
            'Put it before that rule, or remove it.',
          ]
        : [
            `rule ${noted.name} contradicts ${name} at ${place}, which comes first and decides about what both match`,
            'Put first what is meant for both, or let their matches exclude each other.',
          ];
    this.warnings.push(new LocatedError(problem, noted.place, remedy));
  }
}

function revisionOf(rules: readonly PlacedRule[], exemptions: readonly PlacedExemption[]): string {
  const said = rules.map(({ policy, rule, scope }) => ({ policy, rule, scope }));
  if (exemptions.length === 0) return sha256(said);
  return sha256({
    rules: said,
    exemptions: exemptions.map((exemption) => ({ ...exemption, file: undefined })),
  });
}

function notAllCompared(): LocatedError {
  return new LocatedError(
    'the rules are too many that may match the same: not all were compared with each other',
    'spec.rules',
    'Let them name vendor and device, or single domains.',
  );
}

/** Notes the place of a name; a problem where it has one already. */
function unique(places: Map<string, string>, name: string, place: string, what: string): LocatedError[] {
  const earlier = places.get(name);
  if (earlier === undefined) {
    places.set(name, place);
    return [];
  }
  return [
    new LocatedError(
      `the ${what} name ${name} is also at ${earlier}`,
      place,
      `Give each ${what} a name of its own.`,
    ),
  ];
}
