import type { Exposure } from '../risk/exposure.js';
import { SEVERITIES, type Severity } from '../risk/risk-entry.js';
import type { DeviceAudit, DocumentAudit, DomainAudit, Outcome } from './domain-audit.js';

/** What a whole host comes to. Domains are named; where a domain runs, what runs now counts as its exposure. */
export interface AuditSummary {
  domains: number;
  running: number;
  withAssignedDevices: number;
  assignedDevices: number;
  /** Domains with an open risk to the host itself. */
  exposedToHostCrash: string[];
  /** Open risks; each severity that occurs. */
  openRisks: Partial<Record<Severity, number>>;
  /** Domains by the worst that enforcing comes to for one of their devices, from their next start on. */
  enforcing: Partial<Record<Outcome, string[]>>;
  /** Domains that would come off better were they defined anew. */
  betterIfNew: string[];
  /** What would stay open although a rule asks for it, and of how many devices. */
  staysOpen: { exposure: Exposure; devices: number }[];
  /** Why that is, once a reason. */
  whyNot: { mechanism: string; reason: string; devices: number }[];
}

/** The worst first: what an operator must look at. */
const OUTCOMES: readonly Outcome[] = [
  'refused',
  'impossible',
  'partly',
  'exempt',
  'protected',
  'in-force',
  'nothing-required',
];

export function summarize(domains: readonly DomainAudit[]): AuditSummary {
  const assigned = domains.filter(
    (domain) => devicesNow(domain).length > 0 || devicesNext(domain).length > 0,
  );
  const next = assigned.flatMap(devicesNext);
  const open = assigned.flatMap(devicesNow).flatMap(({ risks }) => risks);
  return {
    domains: domains.length,
    running: domains.filter(({ running }) => running).length,
    withAssignedDevices: assigned.length,
    assignedDevices: assigned.flatMap(devicesNow).length,
    exposedToHostCrash: assigned.filter(exposesHost).map(({ name }) => name),
    openRisks: Object.fromEntries(
      SEVERITIES.map((severity) => [
        severity,
        open.filter(({ risk }) => risk.severity === severity).length,
      ]).filter(([, count]) => count !== 0),
    ),
    enforcing: byOutcome(assigned),
    betterIfNew: assigned
      .filter((domain) => devicesNext(domain).some(({ ifNew }) => ifNew))
      .map(({ name }) => name),
    staysOpen: countBy(
      next.flatMap(({ enforcing }) => enforcing.staysOpen),
      (exposure) => exposure,
    ).map(([exposure, devices]) => ({ exposure, devices })),
    whyNot: countBy(
      next.flatMap(({ enforcing }) => enforcing.whyNot),
      ({ mechanism, reason }) => `${mechanism} ${reason}`,
    ).map(([{ mechanism, reason }, devices]) => ({ mechanism, reason, devices })),
  };
}

/** Whether a domain has an open risk at least this severe. */
export function hasOpenRisk(domain: DomainAudit, atLeast: Severity): boolean {
  const severe = SEVERITIES.slice(0, SEVERITIES.indexOf(atLeast) + 1);
  return documents(domain).some(({ devices }) =>
    devices.some(({ risks }) => risks.some(({ risk }) => severe.includes(risk.severity as Severity))),
  );
}

/** Whether something that policy asks for is not in force. */
export function fallsShort(domain: DomainAudit): boolean {
  const short: readonly Outcome[] = ['refused', 'impossible', 'partly', 'protected'];
  return documents(domain).some(({ devices }) =>
    devices.some(({ enforcing }) => short.includes(enforcing.outcome)),
  );
}

function documents({ now, next }: DomainAudit): DocumentAudit[] {
  return [now, next].filter((document) => document !== undefined);
}

function devicesNow({ now, next }: DomainAudit): DeviceAudit[] {
  return (now ?? next)?.devices ?? [];
}

function devicesNext({ now, next }: DomainAudit): DeviceAudit[] {
  return (next ?? now)?.devices ?? [];
}

function exposesHost(domain: DomainAudit): boolean {
  return documents(domain).some(({ devices }) =>
    devices.some(({ risks }) => risks.some(({ risk }) => risk.effect === 'host-crash')),
  );
}

function byOutcome(domains: readonly DomainAudit[]): AuditSummary['enforcing'] {
  const groups: AuditSummary['enforcing'] = {};
  for (const domain of domains) {
    const present = devicesNext(domain).map(({ enforcing }) => enforcing.outcome);
    const worst = OUTCOMES.find((outcome) => present.includes(outcome)) ?? 'nothing-required';
    groups[worst] = [...(groups[worst] ?? []), domain.name];
  }
  return groups;
}

/** Values with how often each occurs, the most frequent first. */
function countBy<T>(values: readonly T[], keyOf: (value: T) => string): [T, number][] {
  const counts = new Map<string, [T, number]>();
  for (const value of values) {
    const entry = counts.get(keyOf(value));
    if (entry) entry[1] += 1;
    else counts.set(keyOf(value), [value, 1]);
  }
  return [...counts.values()].toSorted((a, b) => b[1] - a[1]);
}
