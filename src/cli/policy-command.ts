import type { Command } from 'commander';
import { addPolicyDiffCommand } from './policy-diff-command.js';
import { addPolicyExplainCommand } from './policy-explain-command.js';
import { addPolicySchemaCommand } from './policy-schema-command.js';
import { addPolicyServiceCommands } from './policy-service-commands.js';
import { addPolicyTestCommand } from './policy-test-command.js';
import { addPolicyValidateCommand } from './policy-validate-command.js';

export function addPolicyCommand(program: Command): void {
  const policy = program
    .command('policy')
    .description('check, try and compare policy documents; show and steer which revision is in force');
  addPolicyValidateCommand(policy);
  addPolicyTestCommand(policy);
  addPolicyDiffCommand(policy);
  addPolicyExplainCommand(policy);
  addPolicySchemaCommand(policy);
  addPolicyServiceCommands(policy);
}
