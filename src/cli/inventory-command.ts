import type { Command } from 'commander';
import { hostname } from 'node:os';
import { loadInventory } from '../decision/load-basis.js';
import { formatInventory } from '../pci/inventory-document.js';
import { writeInventoryFile } from '../pci/inventory-file.js';
import { describeFunction } from '../pci/describe-function.js';
import { readPciIds } from '../pci/pci-ids-file.js';
import { print } from './output.js';
import { addSettingsOptions, settingsFrom, type SettingsOptions } from './settings-options.js';

interface InventoryOptions extends SettingsOptions {
  json?: boolean;
  output?: string;
}

export function addInventoryCommand(program: Command): void {
  const command = program
    .command('inventory')
    .description(
      'list the PCI functions of this host, or write them to a file that decisions can be made by anywhere',
    )
    .option('--json', 'print the inventory file')
    .option('-o, --output <file>', 'write the inventory file');
  addSettingsOptions(command, ['inventory', 'sysfs']).action(showInventory);
}

async function showInventory(options: InventoryOptions): Promise<void> {
  const { inventory, problems } = await loadInventory(settingsFrom(options));
  const document = { host: hostname(), takenAt: new Date().toISOString(), inventory };
  if (options.output !== undefined) await writeInventoryFile(options.output, document);
  else if (options.json) print(formatInventory(document));
  else {
    const names = await readPciIds();
    const lines = inventory.functions.map((fn) => describeFunction(fn, names));
    print(lines.length > 0 ? lines.join('\n') : 'no PCI functions found');
  }
  for (const { bdf, file, problem, remedy } of problems) {
    process.stderr.write(`${bdf} ${file}: ${problem}. ${remedy}
`);
  }
}
