import type { Command } from 'commander';
import { mkdir, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { LocatedError } from '../located-error.js';
import { RiskDatabase } from '../risk/risk-database.js';
import { DirectoryReader } from '../policy/bundle/directory-reader.js';
import { junitReport } from '../policy/testing/junit.js';
import { runPolicyTests, type CaseResult } from '../policy/testing/test-runner.js';
import { EXIT, print, printJson } from './output.js';
import { addOfflineOptions, compileAt, type OfflineOptions } from './policy-basis.js';

interface TestOptions extends OfflineOptions {
  junit?: string;
  update?: boolean;
}

export function addPolicyTestCommand(policy: Command): void {
  const command = policy
    .command('test')
    .description('run every PolicyTest of a directory; exits with 3 where one fails')
    .argument('<dir>')
    .option('--junit <file>', 'write the results as JUnit XML')
    .option('--update', 'write the explanations that tests compare with');
  addOfflineOptions(command).action(test);
}

async function test(directory: string, options: TestOptions): Promise<void> {
  const { policy, risks, tests } = await compileAt(directory, options);
  if (tests.length === 0) {
    throw new LocatedError('no PolicyTest is here', directory, 'Write one into its folder tests.');
  }
  const reader = new DirectoryReader(directory);
  await reader.list();
  const parts = {
    policy,
    risks: new RiskDatabase(risks),
    readFile: async (path: string) => (await reader.read(path)).toString(),
  };
  let results = await runPolicyTests(tests, parts);
  if (options.update) {
    for (const { explanation } of results) if (explanation) await update(directory, explanation);
    await reader.list();
    results = await runPolicyTests(tests, parts);
  }
  const failed = results.filter(({ failures }) => failures.length > 0);
  if (options.junit !== undefined) await writeFile(options.junit, junitReport(results));
  if (options.json) {
    const cases = results.map(({ test: name, name: title, file, failures }) => ({
      test: name,
      case: title,
      file,
      passed: failures.length === 0,
      failures,
    }));
    printJson({ passed: results.length - failed.length, failed: failed.length, cases });
  } else print([...results.flatMap(lines), summary(results.length, failed.length)].join('\n'));
  if (failed.length > 0) process.exitCode = EXIT.denied;
}

async function update(directory: string, { path, text }: NonNullable<CaseResult['explanation']>) {
  const file = join(directory, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
}

function lines({ test: name, name: title, file, failures }: CaseResult): string[] {
  if (failures.length === 0) return [`ok    ${name}: ${title}`];
  return [`FAIL  ${name}: ${title} (${file})`, ...failures.map((failure) => `        ${failure}`)];
}

function summary(all: number, failed: number): string {
  return failed === 0 ? `${all} passed` : `${failed} of ${all} failed`;
}
