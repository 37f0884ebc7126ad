import { dirname, join } from 'node:path/posix';
import { decide } from '../../decision/decide.js';
import type { Decision, DeviceDecision } from '../../decision/decision.js';
import { explain } from '../../decision/explanation.js';
import type { HostCapabilities, Probe } from '../../host/host-capabilities.js';
import { STOCK_CAPABILITIES } from '../../host/stock-capabilities.js';
import { LocatedError } from '../../located-error.js';
import type { Inventory } from '../../pci/inventory.js';
import { parseInventory } from '../../pci/inventory-document.js';
import type { RiskDatabase } from '../../risk/risk-database.js';
import type { PlacedTest } from '../bundle/bundle-compiler.js';
import { timeOf } from '../document-time.js';
import type { PolicySet } from '../policy-set.js';
import type { ExpectedDevice, Expectation, PolicyTestCase, TestHost } from './policy-test-document.js';

/** How one case of a test went. */
export interface CaseResult {
  /** Name of the test. */
  test: string;
  name: string;
  /** As messages name it. */
  file: string;
  /** What differs, or why it could not be run; empty where it passed. */
  failures: string[];
  /** Where the explanation was compared with a file: below the bundle's root, and what it should hold. */
  explanation?: { path: string; text: string };
}

export interface TestRunParts {
  policy: PolicySet;
  risks: RiskDatabase;
  /** Reads a file below the bundle's root. @throws LocatedError */
  readFile(path: string): Promise<string>;
}

/** Runs every case of the tests; one that cannot be run has failed. */
export async function runPolicyTests(
  tests: readonly PlacedTest[],
  parts: TestRunParts,
): Promise<CaseResult[]> {
  const results: CaseResult[] = [];
  for (const test of tests) {
    const inventory = await orProblem(() => readInventory(test, parts));
    for (const each of test.spec.cases) {
      const result: CaseResult = { test: test.name, name: each.name, file: test.file, failures: [] };
      results.push(result);
      if (inventory instanceof LocatedError) result.failures.push(inventory.message);
      else await runCase(test, each, inventory, parts, result);
    }
  }
  return results;
}

async function runCase(
  test: PlacedTest,
  each: PolicyTestCase,
  inventory: Inventory,
  parts: TestRunParts,
  result: CaseResult,
): Promise<void> {
  const { expect } = each;
  const host = each.host ?? test.spec.host ?? {};
  const decision = await orProblem(async () => {
    const xml = await textOf(test, each.domain, each.domainFile, 'domain', parts);
    return decide({
      xml,
      inventory,
      host: capabilitiesOf(host),
      policy: parts.policy,
      risks: parts.risks,
      node: { name: host.name ?? 'test', labels: host.labels ?? [] },
      evaluatedAt: new Date(timeOf(each.at ?? test.spec.at)).toISOString(),
      domainState: each.domainState ?? 'new',
      guestHardware: 'may-change',
      ranRestricted: [],
      hostMode: host.mode ?? 'enforce',
      hostdevNetworks: [],
    }).decision;
  });
  if (decision instanceof LocatedError) {
    result.failures.push(decision.message);
    return;
  }
  result.failures.push(...differences(expect, decision));
  if (expect.explanationFile === undefined) return;
  const path = pathBeside(test, expect.explanationFile);
  const text = timeless(explain(decision), rootOf(test));
  result.explanation = { path, text };
  const golden = await orProblem(() => parts.readFile(path));
  if (golden instanceof LocatedError) result.failures.push(golden.message);
  else if (golden !== text) result.failures.push(firstDifference(path, golden, text));
}

function differences(expect: Expectation, decision: Decision): string[] {
  const failures: string[] = [];
  compare(failures, 'verdict', expect.verdict, decision.verdict);
  compareSets(failures, 'mitigations', expect.mitigations, decision.devices.flatMap(mechanismsOf));
  compareSets(failures, 'residual', expect.residual, decision.devices.flatMap(residualOf));
  for (const expected of expect.devices ?? []) failures.push(...deviceDifferences(expected, decision));
  return failures;
}

function deviceDifferences(expected: ExpectedDevice, { devices }: Decision): string[] {
  const device = devices.find(({ source }) => source === expected.bdf);
  if (!device) return [`${expected.bdf}: the domain has no such device`];
  const failures: string[] = [];
  const rule = device.rule ? `${device.rule.policy}/${device.rule.name}` : 'none';
  const exemptions = (device.exemptions ?? []).map(({ name }) => name);
  compare(failures, 'verdict', expected.verdict, device.verdict);
  compare(failures, 'rule', expected.rule, rule);
  if (expected.exemption !== undefined && !exemptions.includes(expected.exemption)) {
    compare(failures, 'exemption', expected.exemption, exemptions.join(', ') || 'none');
  }
  compareSets(failures, 'mitigations', expected.mitigations, mechanismsOf(device));
  compareSets(failures, 'residual', expected.residual, residualOf(device));
  return failures.map((failure) => `${expected.bdf}: ${failure}`);
}

function mechanismsOf({ plan }: DeviceDecision): string[] {
  return plan.mechanisms.map(({ name }) => name);
}

function residualOf({ plan }: DeviceDecision): string[] {
  return plan.residual.map(({ exposure }) => exposure);
}

function compare(failures: string[], what: string, expected: string | undefined, got: string): void {
  if (expected !== undefined && expected !== got) failures.push(`${what} is ${got}, expected ${expected}`);
}

function compareSets(
  failures: string[],
  what: string,
  expected: readonly string[] | undefined,
  got: readonly string[],
): void {
  if (expected === undefined) return;
  const words = (items: readonly string[]) => [...new Set(items)].toSorted().join(', ') || 'nothing';
  compare(failures, what, words(expected), words(got));
}

/** Where the bundle is on this machine, as messages name its files; empty where they are named from the bundle on. */
function rootOf({ file, path }: PlacedTest): string {
  return file.endsWith(path) ? file.slice(0, -path.length) : '';
}

/**
 * Ids and revisions of a decision change with every edit of a policy, and a bundle is not in the same place everywhere; what a
 * reviewer reads is the rest.
 */
function timeless(explanation: string, root: string): string {
  // A name of a file stands behind a blank or a parenthesis.
  return explanation
    .split(` ${root}`)
    .join(' ')
    .split(`(${root}`)
    .join('(')
    .split('\n')
    .filter((line) => !/^ {2}(decision wd-|policy [0-9a-f]{12})/.test(line))
    .join('\n');
}

function firstDifference(path: string, golden: string, text: string): string {
  const expected = golden.split('\n');
  const got = text.split('\n');
  const at = got.findIndex((line, index) => line !== expected[index]);
  const line = at === -1 ? got.length : at;
  return `${path}:${line + 1}: the explanation is "${got[line] ?? ''}", expected "${expected[line] ?? ''}"`;
}

async function readInventory(test: PlacedTest, parts: TestRunParts): Promise<Inventory> {
  const { inventory, inventoryFile } = test.spec;
  const text = await textOf(test, inventory, inventoryFile, 'inventory', parts);
  return parseInventory(text, inventoryFile ?? test.file).inventory;
}

async function textOf(
  test: PlacedTest,
  inline: string | undefined,
  file: string | undefined,
  field: string,
  parts: TestRunParts,
): Promise<string> {
  if ((inline === undefined) === (file === undefined)) {
    const problem = `either ${field} or ${field}File must be given`;
    throw new LocatedError(problem, test.file, `Write one of the two.`);
  }
  return inline ?? parts.readFile(pathBeside(test, file!));
}

function pathBeside({ path }: PlacedTest, file: string): string {
  return join(dirname(path), file);
}

function capabilitiesOf({ ready = [] }: TestHost): HostCapabilities {
  const probe = (name: (typeof ready)[number]): Probe =>
    ready.includes(name)
      ? { state: 'ready', detail: 'taken for granted by a test' }
      : { state: 'absent', detail: 'the test does not name it' };
  return {
    ...STOCK_CAPABILITIES,
    kernelGuard: probe('kernel-guard'),
    kernelParameters: { ...probe('kernel-parameters'), allowIds: [] },
    qemuConfigFilter: {
      property: probe('qemu-config-filter-property'),
      preload: probe('qemu-config-filter-preload'),
    },
  };
}

async function orProblem<T>(work: () => Promise<T>): Promise<T | LocatedError> {
  try {
    return await work();
  } catch (error) {
    if (error instanceof LocatedError) return error;
    throw error;
  }
}
