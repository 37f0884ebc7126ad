import type { Command } from 'commander';
import { compileDirectory } from '../policy/bundle/compile-bundle.js';
import { print, printJson } from './output.js';

export function addPolicyCommand(program: Command): void {
  program
    .command('policy')
    .description('work with policy documents')
    .command('validate')
    .description('check every policy document of a directory')
    .argument('<dir>')
    .option('--json', 'print the result as JSON')
    .action(validate);
}

async function validate(directory: string, options: { json?: boolean }): Promise<void> {
  const { revision, rules } = (await compileDirectory(directory)).policy;
  const listed = rules.map(({ policy, file, rule }) => ({ policy, rule: rule.name, mode: rule.mode, file }));
  if (options.json) {
    printJson({ valid: true, revision, rules: listed });
    return;
  }
  print(
    [
      `valid: ${rules.length} rules, revision ${revision.slice(0, 12)}`,
      ...listed.map(({ policy, rule, mode, file }) => `  ${policy}/${rule}: ${mode} (${file})`),
    ].join('\n'),
  );
}
