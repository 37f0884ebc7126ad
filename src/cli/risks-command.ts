import type { Command } from 'commander';
import { loadInventory } from '../decision/load-basis.js';
import { LocatedError } from '../located-error.js';
import { parseBdf } from '../pci/bdf.js';
import { parsePciId } from '../risk/pci-id.js';
import { readRiskDirectory } from '../risk/risk-loader.js';
import { print, printJson } from './output.js';
import { riskReport } from './risk-report.js';
import { addSettingsOptions, settingsFrom, type SettingsOptions } from './settings-options.js';

interface RisksOptions extends SettingsOptions {
  json?: boolean;
}

export function addRisksCommand(program: Command): void {
  const lookup = program
    .command('risks')
    .description('work with the risk database')
    .command('lookup')
    .description('show what the risk database says of a device')
    .argument('<id>', 'VENDOR:DEVICE[:SUBVENDOR:SUBDEVICE][:CLASS], or the address of a host function')
    .option('--json', 'print the entries as JSON');
  addSettingsOptions(lookup, ['risks', 'inventory', 'sysfs']).action(lookupRisks);
}

async function lookupRisks(id: string, options: RisksOptions): Promise<void> {
  const settings = settingsFrom(options);
  const bdf = parseBdf(id);
  const fn = bdf && (await loadInventory(settings)).inventory.get(bdf);
  if (bdf && !fn) {
    throw new LocatedError(
      'there is no such function in the inventory',
      bdf,
      'List them with `wardenctl inventory`.',
    );
  }
  const risks = await readRiskDirectory(settings.risks);
  const assessment = risks.assess(fn ?? parsePciId(id));
  if (options.json) printJson(assessment);
  else print(riskReport(id, assessment));
}
