import type { CompatibilityNeed, Finding } from '../risk/finding.js';
import type { Exposure } from '../risk/exposure.js';
import { COVERAGE, type CoverageRow, type ExposureParts } from './coverage.js';
import { breaks, byGuest, exemptFor, needsWrites } from './driver-needs.js';
import { CLOSING_MECHANISMS } from './mechanisms.js';
import type { ByteRange, Mechanism, MechanismColumn, MechanismContext, MechanismName } from './mechanism.js';
import {
  chooseMechanisms,
  coverageFor,
  isOpen,
  remainingAfter,
  type Candidate,
  type OpenExposure,
} from './planner.js';
import { readsClosed, readsLeftOpen, UNASSIGNED, type OpenReads } from './unassigned-reads.js';

/** What the plan for one device starts from. */
export interface DeviceRequest {
  context: MechanismContext;
  findings: readonly Finding[];
  needs: readonly CompatibilityNeed[];
  required: ReadonlySet<Exposure>;
  /** In order of preference. */
  allowed: readonly MechanismName[];
  /** Whether the unassigned bytes that are closed to writes are to be closed to reads, too. */
  closeReads: boolean;
  /** Why mechanisms that change the guest may not be used; absent where they may. */
  changeRefused?: string;
  /** Mechanisms that turned out not to work for this domain, with the reason. */
  excluded: ReadonlyMap<MechanismName, string>;
  /** What the domain has already: a conventional bus or machine, also one that this plan gives the whole domain. */
  inEffect: readonly MechanismColumn[];
}

export interface PlannedMechanism {
  name: MechanismName;
  /** Exposures that it closes altogether. */
  closes: Exposure[];
  /** Those of them that need a rule for the device. */
  byRule: Exposure[];
  /** Those of them that it closes to reads, too; absent where policy does not ask for that. */
  reads?: Exposure[];
  /** Bytes it leaves open for the device's driver. */
  exempt: ByteRange[];
  price: string;
  /** What the availability rests on. */
  proof: string;
}

export interface Residual {
  exposure: Exposure;
  /** Which part of config space stays open. */
  parts: ExposureParts;
  required: boolean;
  reason: string;
}

export interface DevicePlan {
  /** Exposures closed before anything is done, and by what. */
  alreadyClosed: { by: MechanismColumn; exposures: Exposure[] }[];
  mechanisms: PlannedMechanism[];
  rejected: { mechanism: MechanismName; reason: string }[];
  residual: Residual[];
  openReads?: OpenReads;
}

/** Plans for one device, without regard to the others of the domain. */
export function planDevice(request: DeviceRequest): DevicePlan {
  const { findings, needs, required, inEffect } = request;
  const unknownNeed = needs.find((need) => need.ranges === undefined && needsWrites(need) && byGuest(need));
  const spared = (exposure: Exposure) => unknownNeed !== undefined && UNASSIGNED.has(exposure);

  const exposures: OpenExposure[] = findings
    .filter(({ exposure }) => !spared(exposure))
    .map((finding) => ({
      exposure: finding.exposure,
      row: coverageRow(finding),
      parts: finding.parts,
      required: required.has(finding.exposure),
    }));
  const before = remainingAfter(
    exposures,
    inEffect.map((column) => ({ column })),
  );
  const stillOpen = exposures
    .map((exposure) => ({ ...exposure, parts: before.get(exposure)! }))
    .filter(({ parts }) => isOpen(parts));

  const { candidates, rejected } = candidatesFor(request, stillOpen);
  const { chosen, remaining } = chooseMechanisms(
    stillOpen,
    candidates.map(({ candidate }) => candidate),
  );
  for (const { candidate } of candidates) {
    if (!chosen.includes(candidate))
      rejected.push({
        mechanism: candidate.name,
        reason: 'not needed: what is preferred to it suffices, or it closes nothing more',
      });
  }
  const mechanisms = chosen.map((candidate) =>
    plannedMechanism(
      candidates.find((entry) => entry.candidate === candidate)!,
      request,
      stillOpen,
    ),
  );
  const openReads = readsLeftOpen(request, mechanisms);

  return {
    alreadyClosed: inEffect.map((by) => ({
      by,
      exposures: exposures
        .filter((exposure) => isOpen(exposure.parts) && !isOpen(closedBy(by, exposure)))
        .map(({ exposure }) => exposure),
    })),
    mechanisms,
    rejected,
    residual: [
      ...[...remaining]
        .filter(([, parts]) => isOpen(parts))
        .map(([open, parts]) => ({
          exposure: open.exposure,
          parts,
          required: open.required,
          reason: residualReason(open, parts),
        })),
      ...exemptRanges(chosen, needs, stillOpen),
      ...findings
        .filter(({ exposure }) => spared(exposure))
        .map(({ exposure, parts }) => ({
          exposure,
          parts,
          required: false,
          reason: `exempt: ${unknownNeed!.summary} (${unknownNeed!.entry})`,
        })),
    ],
    ...(openReads && { openReads }),
  };
}

export function coverageRow({ exposure, trapped }: Pick<Finding, 'exposure' | 'trapped'>): CoverageRow {
  if (exposure !== 'config-mirror-in-bar') return exposure;
  return trapped ? 'mirror-trapped' : 'mirror-untrapped';
}

function closedBy(column: MechanismColumn, exposure: OpenExposure): ExposureParts {
  return remainingAfter([exposure], [{ column }]).get(exposure)!;
}

interface JudgedCandidate {
  candidate: Candidate;
  mechanism: Mechanism;
  proof: string;
}

function candidatesFor(
  request: DeviceRequest,
  open: readonly OpenExposure[],
): { candidates: JudgedCandidate[]; rejected: DevicePlan['rejected'] } {
  const candidates: JudgedCandidate[] = [];
  const rejected: DevicePlan['rejected'] = [];
  const inOrder = [
    ...request.allowed.flatMap((name) => CLOSING_MECHANISMS.filter((mechanism) => mechanism.name === name)),
    ...CLOSING_MECHANISMS.filter(({ name }) => !request.allowed.includes(name)),
  ];
  for (const mechanism of inOrder) {
    const reason = whyNot(mechanism, request, open);
    if (reason === undefined) {
      candidates.push({
        mechanism,
        proof: mechanism.availability(request.context).detail,
        candidate: {
          name: mechanism.name,
          column: mechanism.column(request.context),
          exempt: exemptFor(mechanism, request.needs),
        },
      });
    } else {
      rejected.push({ mechanism: mechanism.name, reason });
    }
  }
  return { candidates, rejected };
}

function whyNot(
  mechanism: Mechanism,
  request: DeviceRequest,
  open: readonly OpenExposure[],
): string | undefined {
  const { context, needs } = request;
  if (!request.allowed.includes(mechanism.name)) return 'the policy rule does not allow it';
  const { available, detail } = mechanism.availability(context);
  if (!available) return detail;
  const excluded = request.excluded.get(mechanism.name);
  if (excluded !== undefined) return excluded;
  if (mechanism.guestChange !== 'none' && request.changeRefused !== undefined) return request.changeRefused;
  const column = mechanism.column(context);
  if (!open.some((exposure) => coverageFor(exposure, column) !== 'no'))
    return 'it closes nothing that is open here';
  const broken = needs.find((need) => breaks(mechanism, need));
  return broken && `it would break the device: ${broken.summary} (${broken.entry})`;
}

function plannedMechanism(
  { candidate, mechanism, proof }: JudgedCandidate,
  { context, closeReads, needs }: DeviceRequest,
  open: readonly OpenExposure[],
): PlannedMechanism {
  const closed = open.filter((exposure) => !isOpen(closedBy(candidate.column, exposure)));
  const closes = closed.map(({ exposure }) => exposure);
  return {
    name: candidate.name,
    closes,
    byRule: closed
      .filter(({ row }) => COVERAGE[row][candidate.column] === 'rule')
      .map(({ exposure }) => exposure),
    ...(closeReads && { reads: readsClosed(mechanism, context, needs, closes) }),
    exempt: candidate.exempt,
    price: mechanism.price,
    proof,
  };
}

function residualReason({ exposure, parts: whole }: OpenExposure, left: ExposureParts): string {
  if (exposure === 'bar-mmio') return 'no mechanism closes it';
  if (exposure === 'config-mirror-in-bar') {
    return 'no mechanism that may be used here closes it, and what is closed in config space stays reachable through it';
  }
  if (whole.extended && !left.extended) return 'the part below 0x100 stays reachable';
  return 'no mechanism that may be used here closes it';
}

/** What stays open because a driver needs it, although a mechanism closes the rest of the exposure. */
function exemptRanges(
  chosen: readonly Candidate[],
  needs: readonly CompatibilityNeed[],
  open: readonly OpenExposure[],
): Residual[] {
  if (!chosen.some(({ exempt }) => exempt.length > 0)) return [];
  return needs
    .flatMap(({ ranges = [], entry, summary }) =>
      ranges.map(({ from, to }) => ({
        exposure: to < 0x100 ? ('unassigned-legacy' as const) : ('unassigned-extended' as const),
        parts: { legacy: from < 0x100, extended: to >= 0x100 },
        required: false,
        reason: `0x${from.toString(16)}-0x${to.toString(16)} is left to the driver: ${summary} (${entry})`,
      })),
    )
    .filter(({ exposure }) => open.some((entry) => entry.exposure === exposure));
}
