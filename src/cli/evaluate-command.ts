import type { Command } from 'commander';
import { createTwoFilesPatch } from 'diff';
import type { DomainState } from '../decision/decision.js';
import { DecisionService } from '../decision/decision.service.js';
import { LocatedError } from '../located-error.js';
import { explain, namerOf } from '../decision/explanation.js';
import { loadBasis } from '../decision/load-basis.js';
import { readPciIds } from '../pci/pci-ids-file.js';
import { EXIT, print, printJson } from './output.js';
import { readDocument } from './read-input.js';
import { addSettingsOptions, settingsFrom, type SettingsOptions } from './settings-options.js';

interface EvaluateOptions extends SettingsOptions {
  xml?: boolean;
  diff?: boolean;
  json?: boolean;
  new?: boolean;
  hasRun?: boolean;
  at?: string;
  hostdevNetwork: string[];
}

export function addEvaluateCommand(program: Command): void {
  const command = program
    .command('evaluate')
    .description('decide about a domain and say why; changes nothing')
    .argument('<file>', 'domain XML, or - for standard input')
    .option('--xml', 'print the domain XML to use instead')
    .option('--diff', 'print what changes in the domain XML')
    .option('--json', 'print the decision as JSON')
    .option('--new', 'the domain has never run: its guest hardware may change where policy allows that')
    .option('--has-run', 'the domain has run (without either, that is taken as possible)')
    .option('--at <time>', 'evaluation time (ISO 8601) to record, for repeatable output')
    .option('--hostdev-network <name...>', 'libvirt networks that hand out host functions', [] as string[]);
  addSettingsOptions(command, ['policies', 'risks', 'inventory', 'sysfs', 'emulator', 'mode']).action(
    evaluate,
  );
}

async function evaluate(file: string, options: EvaluateOptions): Promise<void> {
  const xml = await readDocument(file);
  const basis = await loadBasis(settingsFrom(options));
  const { decision, xml: result } = new DecisionService(basis).evaluate({
    xml,
    domainState: stateOf(options),
    hostdevNetworks: options.hostdevNetwork,
    evaluatedAt: timeOf(options.at),
  });
  if (options.json) printJson({ decision, ...(options.xml && { xml: result }) });
  else if (options.xml) process.stdout.write(result);
  else if (options.diff) print(createTwoFilesPatch(file, `${file} (restricted)`, xml, result));
  else print(explain(decision, namerOf(await readPciIds())));
  if (decision.verdict === 'denied') process.exitCode = EXIT.denied;
}

function stateOf(options: EvaluateOptions): DomainState {
  if (options.hasRun) return 'has-run';
  return options.new ? 'new' : 'unknown';
}

function timeOf(at: string | undefined): string {
  const time = at === undefined ? new Date() : new Date(at);
  if (Number.isNaN(time.getTime())) {
    throw new LocatedError(`${at?.slice(0, 40)} is no time`, '--at', 'Write it as 2026-01-31T12:00:00Z.');
  }
  return time.toISOString();
}
