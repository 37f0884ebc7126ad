#!/usr/bin/env node
import 'reflect-metadata';
import { Command } from 'commander';
import { addAuditCommand } from './audit-command.js';
import { addConfigSpaceCommand } from './config-space-command.js';
import { addDecisionsCommand, addEventsCommand } from './decisions-command.js';
import { addDevicesCommand } from './devices-command.js';
import { addDomainsCommand } from './domains-command.js';
import { addExplainCommand } from './explain-command.js';
import { addHostCommand } from './host-command.js';
import { addModeCommand } from './mode-command.js';
import { addTokenCommand } from './token-command.js';
import { addEvaluateCommand } from './evaluate-command.js';
import { addInventoryCommand } from './inventory-command.js';
import { addObserveCommand } from './observe-command.js';
import { EXIT, fail } from './output.js';
import { addPolicyCommand } from './policy-command.js';
import { addRisksCommand } from './risks-command.js';
import { addUndoCommand } from './undo-command.js';
import { addUninstallCommand } from './uninstall-command.js';

const program = new Command('wardenctl')
  .description('Decides what a guest may reach of its passed-through PCI devices, and says why.')
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 1 internal error, 2 bad usage, bad input or nobody answers, 3 the decision is "denied"\n' +
      '(audit --fail-on: a finding; uninstall: something needs a decision of yours).\n' +
      'Each option for a directory or file also exists as an environment variable WARDEN_...',
  )
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.badInput);
  });

addAuditCommand(program);
addEvaluateCommand(program);
addConfigSpaceCommand(program);
addInventoryCommand(program);
addRisksCommand(program);
addPolicyCommand(program);
addUndoCommand(program);
addExplainCommand(program);
addDomainsCommand(program);
addDecisionsCommand(program);
addEventsCommand(program);
addDevicesCommand(program);
addHostCommand(program);
addModeCommand(program);
addObserveCommand(program);
addTokenCommand(program);
addUninstallCommand(program);

// A reader that has seen enough (`| head`) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  fail(error);
}
