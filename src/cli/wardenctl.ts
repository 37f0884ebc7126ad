#!/usr/bin/env node
import 'reflect-metadata';
import { Command } from 'commander';
import { addConfigSpaceCommand } from './config-space-command.js';
import { addEvaluateCommand } from './evaluate-command.js';
import { addInventoryCommand } from './inventory-command.js';
import { EXIT, fail } from './output.js';
import { addPolicyCommand } from './policy-command.js';
import { addRisksCommand } from './risks-command.js';
import { addUndoCommand } from './undo-command.js';

const program = new Command('wardenctl')
  .description('Decides what a guest may reach of its passed-through PCI devices, and says why.')
  .addHelpText(
    'after',
    '\nExit codes: 0 done, 1 internal error, 2 bad usage or bad input, 3 the decision is "denied".\n' +
      'Each option for a directory or file also exists as an environment variable WARDEN_...',
  )
  .exitOverride((error) => {
    process.exit(error.exitCode === 0 ? EXIT.ok : EXIT.badInput);
  });

addEvaluateCommand(program);
addConfigSpaceCommand(program);
addInventoryCommand(program);
addRisksCommand(program);
addPolicyCommand(program);
addUndoCommand(program);

// A reader that has seen enough (`| head`) is no fault.
process.stdout.on('error', (error: NodeJS.ErrnoException) => {
  if (error.code !== 'EPIPE') throw error;
});

try {
  await program.parseAsync();
} catch (error) {
  fail(error);
}
