import { MATCH_LEVELS, hexRange, type PciIdentity } from './device-match.js';
import { EXPOSURE_NAMES, type Exposure } from './exposure.js';
import type { CompatibilityNeed, KnownBy, Notice, RiskStatement } from './finding.js';
import {
  SEVERITIES,
  type Effect,
  type KernelHandling,
  type RegisterNeed,
  type RiskEntry,
} from './risk-entry.js';
import { packRisks, type RiskPack } from './risk-pack.js';
import { RiskMatcher, type RiskMatch } from './risk-matcher.js';
import { subjectKey, subjectsOf } from './statement.js';

/** What an assessment looks at beside the ids; a `PciFunction` is one. */
export interface AssessedFunction extends PciIdentity {
  /** Size in bytes of config space as the kernel sees it. */
  configSize?: number;
  /** As `reset_method` lists them; empty where that is not known. */
  resetMethods?: readonly string[];
}

/** A risk that holds for a function: no more specific entry speaks of the same exposure and effect. */
export interface AssessedRisk {
  exposure: Exposure;
  /** For `config-mirror-in-bar`: whether stock QEMU, without `x-vga`, traps the window. */
  trapped?: boolean;
  risk: RiskStatement;
}

/** Registers that must stay reachable, or the driver breaks. */
export interface AssessedNeed extends CompatibilityNeed {
  access: RegisterNeed['access'];
  /** A filter in QEMU does not see QEMU's own accesses; what sits in the kernel sees both. */
  by: RegisterNeed['by'];
}

export interface AssessedMirror {
  entry: string;
  bar: number;
  /** In bytes from the start of the BAR. */
  offset: number;
  /** In bytes. */
  size: number;
  addressing: 'direct' | 'index-data';
  trappedByQemu: 'always' | 'with-x-vga' | 'never';
  /** Which of the matched devices have the window, where that is not all of them. */
  when?: string;
}

/** A statement that does not hold for a function, since a more specific entry speaks of the same. */
export interface OverriddenStatement {
  exposure: Exposure;
  effect: Effect;
  entry: string;
  /** Ids of the entries that hold. */
  by: string[];
}

/** What the database says of one function. Plain data, in a fixed order. */
export interface RiskAssessment {
  /** In the order of `EXPOSURES`, the worst first within one; a mirror once for trapped and once for untrapped windows. */
  risks: AssessedRisk[];
  needs: AssessedNeed[];
  mirrors: AssessedMirror[];
  notices: Notice[];
  overridden: OverriddenStatement[];
}

/** The curated knowledge of devices. */
export class RiskDatabase {
  private readonly matcher: RiskMatcher;
  /** SHA-256 over what the entries say, in hexadecimal: files, comments and order do not matter. */
  readonly revision: string;

  constructor(pack: RiskPack) {
    this.matcher = new RiskMatcher(pack);
    this.revision = pack.revision;
  }

  /** Expects entries that the loader has accepted. */
  static of(entries: readonly RiskEntry[]): RiskDatabase {
    return new RiskDatabase(packRisks(entries));
  }

  /** How many entries there are. */
  get size(): number {
    return this.matcher.count;
  }

  /** By id; made anew at each call. */
  get entries(): readonly RiskEntry[] {
    return [...this.matcher.entries()];
  }

  /** Entries by their places in the order of ids; made anew at each call. */
  slice(from: number, to: number): readonly RiskEntry[] {
    return Array.from({ length: to - from }, (_, at) => this.matcher.entryAt(from + at));
  }

  entry(id: string): RiskEntry | undefined {
    return this.matcher.find(id);
  }

  /** All entries that speak of a function, the most specific first, overridden ones included. */
  lookup(fn: PciIdentity): RiskMatch[] {
    return this.matcher.lookup(fn);
  }

  /**
   * What holds for a function. For each exposure and effect the most specific entries hold, and override the rest;
   * entries that are equally specific hold together.
   */
  assess(fn: AssessedFunction): RiskAssessment {
    const matches = this.lookup(fn);
    const { holding, overridden } = settle(matches);
    const assessment: RiskAssessment = { risks: [], needs: [], mirrors: [], notices: [], overridden };
    const handled = (entry: RiskEntry) => entry.handledByLinux && isHandled(entry.handledByLinux, fn);

    for (const { match, exposure } of holding) {
      const { entry } = match;
      if (entry.effect === 'compatibility' || handled(entry)) continue;
      assessment.risks.push(...risksOf(match, exposure));
    }
    for (const match of matches) {
      const { entry } = match;
      const holds = holding.some((statement) => statement.match === match);
      if (holds) {
        assessment.needs.push(...needsOf(entry));
        assessment.mirrors.push(...mirrorsOf(entry));
      }
      if (entry.scope === 'bare-metal') assessment.notices.push(notice('bare-metal', match));
      else if (entry.exposures.length === 0) assessment.notices.push(notice('no-exposure', match));
      else if (holds && handled(entry)) assessment.notices.push(notice('handled', match));
    }
    assessment.risks.sort(byExposureAndSeverity);
    return assessment;
  }
}

interface HoldingStatement {
  match: RiskMatch;
  exposure: Exposure;
}

/** Tells what holds from what is overridden; expects the most specific first. */
function settle(matches: readonly RiskMatch[]): {
  holding: HoldingStatement[];
  overridden: OverriddenStatement[];
} {
  const winners = new Map<string, RiskMatch[]>();
  const holding: HoldingStatement[] = [];
  const overridden: OverriddenStatement[] = [];
  for (const match of matches) {
    for (const subject of subjectsOf(match.entry)) {
      const before = winners.get(subjectKey(subject));
      if (before && before[0]!.specificity > match.specificity) {
        overridden.push({ ...subject, entry: match.entry.id, by: before.map(({ entry }) => entry.id) });
        continue;
      }
      if (before) before.push(match);
      else winners.set(subjectKey(subject), [match]);
      holding.push({ match, exposure: subject.exposure });
    }
  }
  return { holding, overridden };
}

/** Whether the host shows that its kernel handles the risk; what cannot be seen is not taken for granted. */
function isHandled(handling: KernelHandling, { configSize, resetMethods = [] }: AssessedFunction): boolean {
  const { configSizeAtMost, resetMethodAbsent, resetMethodPresent } = handling;
  return (
    (configSizeAtMost !== undefined && configSize !== undefined && configSize <= Number(configSizeAtMost)) ||
    (resetMethodAbsent !== undefined &&
      resetMethods.length > 0 &&
      !resetMethods.includes(resetMethodAbsent)) ||
    (resetMethodPresent !== undefined && resetMethods.includes(resetMethodPresent))
  );
}

function risksOf(match: RiskMatch, exposure: Exposure): AssessedRisk[] {
  const { entry } = match;
  const base = { exposure, risk: statementOf(match) };
  if (exposure !== 'config-mirror-in-bar') return [base];
  const trapped = new Set((entry.mirrors ?? []).map(({ trappedByQemu }) => trappedByQemu === 'always'));
  return [...trapped].toSorted().map((value) => ({ ...base, trapped: value }));
}

function statementOf({ entry, level }: RiskMatch): RiskStatement {
  return {
    entry: entry.id,
    knownBy: knownBy(level),
    severity: entry.severity,
    effect: entry.effect,
    confidence: entry.confidence,
    summary: entry.summary,
    ...(entry.handledByLinux && { handledBy: `Linux: ${entry.handledByLinux.how}` }),
    ...(entry.advice !== undefined && { advice: entry.advice }),
    ...(entry.limits !== undefined && { limits: entry.limits }),
    evidence: entry.evidence.map(({ source, reference, date }) => ({ source, reference, date })),
  };
}

function knownBy(level: RiskMatch['level']): KnownBy {
  return MATCH_LEVELS.indexOf(level) >= MATCH_LEVELS.indexOf('device') ? 'device' : 'class';
}

function needsOf({ id, summary, needs = [] }: RiskEntry): AssessedNeed[] {
  return needs.map(({ registers, access, by, through }) => ({
    entry: id,
    summary,
    ...(!registers.includes('unknown') && {
      ranges: registers.map(hexRange).map(([from, to]) => ({ from, to })),
    }),
    access,
    by,
    ...(through !== undefined && { through }),
  }));
}

function mirrorsOf({ id, mirrors = [] }: RiskEntry): AssessedMirror[] {
  return mirrors.map(({ bar, offset, size, addressing, trappedByQemu, when }) => ({
    entry: id,
    bar: Number(bar),
    offset: Number(offset),
    size: Number(size),
    addressing,
    trappedByQemu,
    ...(when !== undefined && { when }),
  }));
}

function notice(reason: Notice['reason'], match: RiskMatch): Notice {
  const { entry } = match;
  const detail = reason === 'handled' ? entry.handledByLinux!.how : entry.limits!;
  return { reason, risk: statementOf(match), detail };
}

function byExposureAndSeverity(a: AssessedRisk, b: AssessedRisk): number {
  return (
    EXPOSURE_NAMES.indexOf(a.exposure) - EXPOSURE_NAMES.indexOf(b.exposure) ||
    severityRank(a) - severityRank(b) ||
    (a.risk.entry < b.risk.entry ? -1 : a.risk.entry > b.risk.entry ? 1 : 0)
  );
}

function severityRank({ risk }: AssessedRisk): number {
  return (SEVERITIES as readonly string[]).indexOf(risk.severity);
}
