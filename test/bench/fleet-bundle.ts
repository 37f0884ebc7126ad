import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { EXPOSURE_NAMES } from '../../src/risk/exposure.js';

const RULES_A_FILE = 1_000;
const ENTRIES_A_FILE = 1_000;

export interface FleetBundle {
  /** Rules that match no device of the fixture node; one that matches every device follows. */
  rules: number;
  /** Risk entries about as many other devices. */
  entries: number;
  /** Two bundles that differ in this are two revisions; the decisions are the same. */
  version: string;
}

/** Writes the documents of a large fleet, over those that are there. */
export function writeFleetBundle(directory: string, { rules, entries, version }: FleetBundle): void {
  for (const folder of ['policies', 'risks']) mkdirSync(join(directory, folder), { recursive: true });
  for (let from = 0; from < rules; from += RULES_A_FILE) {
    const all = range(from, Math.min(rules, from + RULES_A_FILE)).map(unmatchedRule);
    writeFileSync(join(directory, `policies/fleet-${pad(from)}.yaml`), policy(`fleet-${pad(from)}`, all));
  }
  const last = policy('last', [lastRule(version)]);
  writeFileSync(join(directory, 'policies/last.yaml'), last);
  for (let from = 0; from < entries; from += ENTRIES_A_FILE) {
    const all = range(from, Math.min(entries, from + ENTRIES_A_FILE)).map((at) => riskEntry(at, version));
    const text = `apiVersion: vfio-warden.dev/v1\nkind: RiskList\nentries:\n${all.join('')}`;
    writeFileSync(join(directory, `risks/fleet-${pad(from)}.yaml`), text);
  }
}

function policy(name: string, rules: readonly string[]): string {
  const head = `apiVersion: vfio-warden.dev/v1\nkind: Policy\nmetadata: { name: ${name} }\nspec:\n  rules:\n`;
  return `${head}${rules.join('')}`;
}

/** Each third for a device, a tenant's domains, a flavor. */
function unmatchedRule(at: number): string {
  const devices = `devices: [{ vendor: '${id4(0x2000 + Math.floor(at / 4_096))}', device: '${id4(at % 4_096)}' }]`;
  const match = [devices, `domains: [{ name: tenant-${at}-* }]`, `domains: [{ flavor: flavor-${at} }]`][
    at % 3
  ];
  return `    - name: rule-${at}
      description: Agreed with the owners of these machines; see the change that brought it.
      match: { ${match} }
      mode: enforce
      require: [unassigned-extended]
      mitigations: [kernel-guard, conventional-bus]
      topologyChange: before-first-run
`;
}

function lastRule(version: string): string {
  return `    - name: everything
      description: Revision ${version}.
      mode: enforce
      require: [unassigned-extended]
      mitigations: [conventional-bus]
      topologyChange: always
`;
}

function riskEntry(at: number, version: string): string {
  const vendor = id4(0x2000 + Math.floor(at / 1_000));
  return `  - id: fleet-${at}
    match: { vendor: '${vendor}', device: '${id4(at % 1_000)}' }
    exposures: [${EXPOSURE_NAMES[at % 8]}]
    effect: host-crash
    severity: high
    confidence: likely
    summary: Fuzzing the space behind the chain ended the host, seen on three machines (${version}).
    evidence: [{ source: generator, reference: entry ${at}, date: '2026-01-01' }]
`;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, at) => from + at);
}

function pad(value: number): string {
  return `${value}`.padStart(6, '0');
}

function id4(value: number): string {
  return value.toString(16).padStart(4, '0');
}
