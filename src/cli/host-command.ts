import type { Command } from 'commander';
import type { HostAnswer } from '../api/host.dto.js';
import { print, printJson } from './output.js';
import { addServiceOptions, serviceOf, type ServiceOptions } from './service-options.js';
import { table } from './table.js';

export function addHostCommand(program: Command): void {
  const command = program
    .command('host')
    .description('show what this host can enforce, its switch, and the state of the service');
  addServiceOptions(command).action(showHost);
}

async function showHost(options: ServiceOptions): Promise<void> {
  const host = await (await serviceOf(options)).get<HostAnswer>('/v1/host');
  if (options.json) return printJson(host);
  const { kernelGuard, kernelParameters, qemuConfigFilter } = host.capabilities;
  const mechanisms = {
    'kernel-guard': kernelGuard,
    'kernel-parameters': kernelParameters,
    'qemu-config-filter (property)': qemuConfigFilter.property,
    'qemu-config-filter (preload)': qemuConfigFilter.preload,
  };
  print(
    [
      `${host.name}: ${host.mode.mode} (by ${host.mode.source})`,
      ...(host.mode.problem === undefined ? [] : [`  the mode file does not count: ${host.mode.problem}`]),
      `  policy ${short(host.revisions.policy)}, risk database ${short(host.revisions.risks)}, inventory ${short(host.revisions.inventory)}`,
      `  ${Object.entries(host.versions)
        .map(([what, version]) => `${what} ${String(version)}`)
        .join(', ')}`,
      '',
      table(
        ['COMPONENT', 'STATE', 'A VM NEEDS IT', 'DETAIL'],
        host.components.map(({ name, state, critical, detail }) => [
          name,
          state,
          critical ? 'yes' : 'no',
          detail,
        ]),
      ),
      '',
      table(
        ['MECHANISM', 'PROBE', 'SEEN'],
        Object.entries(mechanisms).map(([name, { state, detail }]) => [name, state, detail]),
      ),
      ...parametersOf(host),
    ].join('\n'),
  );
}

/** Only where a module has them: no released kernel does. */
function parametersOf({ parameters }: HostAnswer): string[] {
  if (parameters?.module === undefined) return [];
  const { module, block = [], allow = [], ...aspects } = parameters;
  const { configured, live, verified } = aspects;
  return [
    '',
    table(
      ['KERNEL PARAMETERS', 'STATE', 'DETAIL'],
      Object.entries({ configured, live, verified }).map(([name, { state, detail }]) => [
        name,
        state,
        detail,
      ]),
    ),
    ...(block.length > 0 ? [`  ${module} closes ${block.join(', ')}`] : []),
    ...allow.map(({ id, reason }) => `  ${id} stays open: ${reason}`),
  ];
}

function short(revision: string): string {
  return revision.slice(0, 12);
}
