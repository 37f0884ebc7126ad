import { Argument, type Command } from 'commander';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { HostAnswer, ModeView } from '../api/host.dto.js';
import { loadSettings } from '../config/load-settings.js';
import { withoutControls } from '../documents/located-yaml.js';
import { writeModeFile } from '../host/host-switch.js';
import { MODES, type Mode } from '../policy/policy-terms.js';
import { print, printJson } from './output.js';
import { ServiceAway } from './service-client.js';
import { addServiceOptions, serviceOf, type ServiceOptions } from './service-options.js';

interface ModeOptions extends ServiceOptions {
  reason?: string;
}

export function addModeCommand(program: Command): void {
  const command = program
    .command('mode')
    .description('show or turn the switch of the host; works with the service dead, too')
    .addArgument(new Argument('[mode]', 'off, observe or enforce').choices(MODES))
    .option('--reason <text>', 'why, for the record');
  addServiceOptions(command).action(turnOrShow);
}

async function turnOrShow(mode: Mode | undefined, options: ModeOptions): Promise<void> {
  try {
    const service = await serviceOf(options);
    const now =
      mode === undefined
        ? (await service.get<HostAnswer>('/v1/host')).mode
        : await service.put<ModeView>('/v1/host/mode', { mode, reason: options.reason });
    if (options.json) printJson(now);
    else print(`${now.mode} (by ${now.source})${now.problem === undefined ? '' : `; ${now.problem}`}`);
  } catch (error) {
    // The file is this host's: for a service elsewhere it would be the wrong one.
    if (!(error instanceof ServiceAway) || !options.server.startsWith('unix:')) throw error;
    await withoutService(mode, error, options.json);
  }
}

/** The hook reads the file by itself, and the service does when it starts. */
async function withoutService(mode: Mode | undefined, reason: ServiceAway, json?: boolean): Promise<void> {
  const settings = await loadSettings(process.env);
  const file = join(settings.stateDirectory, 'mode');
  process.stderr.write(`wardenctl: ${reason.place}: ${reason.problem}\n`);
  if (mode !== undefined) {
    await writeModeFile(file, mode);
    if (json) printJson({ mode, source: 'file', file });
    else
      print(`${mode}, written to ${file}: the hook obeys off at once, the service follows it when it runs`);
    return;
  }
  const word = await readFile(file, 'utf8').catch(() => undefined);
  const source = word === undefined ? 'configuration' : 'file';
  const said = word === undefined ? settings.mode : withoutControls(word.trim()).slice(0, 20);
  if (json) printJson({ mode: said, source, file });
  else print(`${said} (by ${word === undefined ? `configuration: there is no ${file}` : file})`);
}
