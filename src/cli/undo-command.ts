import type { Command } from 'commander';
import { undoEdits } from '../domain-xml/undo.js';
import { readDocument } from './read-input.js';

export function addUndoCommand(program: Command): void {
  program
    .command('undo')
    .description('print a domain as it was before vfio-warden edited it, byte for byte')
    .argument('<file>', 'domain XML, or - for standard input')
    .action(async (file: string) => {
      process.stdout.write(undoEdits(await readDocument(file)));
    });
}
