import type { Command } from 'commander';
import { refusalsOf, type LocatedError } from '../located-error.js';
import { unmatchedSelectors } from '../policy/effect/unmatched-selectors.js';
import { EXIT, print, printJson } from './output.js';
import { addOfflineOptions, compileAt, inventoryOf, type OfflineOptions } from './policy-basis.js';

export function addPolicyValidateCommand(policy: Command): void {
  const command = policy
    .command('validate')
    .description('check every document of a directory')
    .argument('<dir>')
    .option('--host <file>', 'inventory of a host: warn of selectors that match none of its functions');
  addOfflineOptions(command).action(validate);
}

async function validate(directory: string, options: OfflineOptions): Promise<void> {
  try {
    const { policy, tests, warnings } = await compileAt(directory, options);
    const all = [
      ...warnings.map(({ message }) => message),
      ...(options.host === undefined ? [] : unmatchedSelectors(policy, await inventoryOf(options))),
    ];
    const { revision, exemptions = [] } = policy;
    const rules = policy.rules.map(({ policy: name, file, rule }) => ({
      policy: name,
      rule: rule.name,
      mode: rule.mode,
      file,
    }));
    if (options.json) {
      const listed = exemptions.map(({ name, expires, file }) => ({ name, expires, file }));
      printJson({ valid: true, revision, rules, exemptions: listed, tests: tests.length, warnings: all });
      return;
    }
    for (const warning of all) process.stderr.write(`warning: ${warning}\n`);
    print(
      [
        `valid: ${rules.length} rules, ${exemptions.length} exemptions, ${tests.length} tests, revision ${revision.slice(0, 12)}`,
        ...rules.map((rule) => `  ${rule.policy}/${rule.rule}: ${rule.mode} (${rule.file})`),
        ...exemptions.map(({ name, expires, file }) => `  exemption ${name}: until ${expires} (${file})`),
      ].join('\n'),
    );
  } catch (error) {
    const refusals = refusalsOf(error);
    if (!options.json || !refusals) throw error;
    printJson({ valid: false, problems: refusals.map(asData) });
    process.exitCode = EXIT.badInput;
  }
}

function asData({ place, problem, remedy }: LocatedError) {
  return { place, problem, remedy };
}
