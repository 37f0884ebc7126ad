import type { Command } from 'commander';
import type { DomainRecord } from '../store/records.js';
import { withoutControls } from '../documents/located-yaml.js';
import { print, printJson } from './output.js';
import { addLimitOption, addServiceOptions, serviceOf, type ServiceOptions } from './service-options.js';
import { table } from './table.js';

interface DomainsOptions extends ServiceOptions {
  unprotected?: boolean;
  stale?: boolean;
  running?: boolean;
  gone?: boolean;
  device?: string;
  text?: string;
  host?: string;
  limit: number;
}

export function addDomainsCommand(program: Command): void {
  const command = program
    .command('domains')
    .description('list domains, and whether they have what policy asks for')
    .option('--unprotected', 'only those that run, or would start, without it')
    .option('--stale', 'only running ones that cannot have what policy asks for now before their next start')
    .option('--running', 'only those that run now')
    .option('--gone', 'also those that neither run nor are defined any more')
    .option('--device <bdf>', 'only those that this device is assigned to')
    .option('--text <text>', 'only those whose name, UUID, instance, project or flavor has this in it')
    .option('--host <name>', 'only those of this node');
  addServiceOptions(addLimitOption(command)).action(listDomains);
}

async function listDomains(options: DomainsOptions): Promise<void> {
  const { unprotected, stale, running, gone, device, text, host, limit } = options;
  const service = await serviceOf(options);
  const query = { unprotected, stale, active: running, gone, device, text, host };
  const domains = await service.list<DomainRecord>('/v1/domains', query, limit);
  if (options.json) return printJson(domains);
  if (domains.length === 0) return print('no such domains');
  if (stale) {
    return print(
      domains.map((domain) => `${domain.name}: ${withoutControls(domain.stale ?? '-')}`).join('\n'),
    );
  }
  print(
    table(
      ['DOMAIN', 'HOST', 'STATE', 'VERDICT', 'PROTECTED', 'DEVICES', 'INSTANCE'],
      domains.map((domain) => [
        domain.name,
        domain.host,
        stateOf(domain),
        domain.verdict ?? '-',
        protection(domain),
        domain.devices.join(' ') || '-',
        domain.owner.instanceName ?? '-',
      ]),
    ),
  );
}

/** Said only of a domain that has something to be protected from. */
function protection({ unprotected, devices }: DomainRecord): string {
  if (unprotected) return 'NO';
  return devices.length === 0 ? '-' : 'as asked';
}

function stateOf({ active, persistent }: DomainRecord): string {
  if (active) return 'running';
  return persistent ? 'off' : 'gone';
}
