import { Option, type Command } from 'commander';
import { LocatedError } from '../located-error.js';
import { DEFAULT_SERVER, ServiceClient, type ServiceAddress } from './service-client.js';

/** Options of every command that talks to the service. */
export type ServiceOptions = ServiceAddress & { json?: boolean };

export function addServiceOptions(command: Command): Command {
  return command
    .addOption(
      new Option('--server <address>', 'the service: unix:PATH or https://HOST:PORT')
        .env('WARDEN_SERVER')
        .default(DEFAULT_SERVER),
    )
    .addOption(new Option('--token-file <file>', 'file with a bearer token').env('WARDEN_TOKEN_FILE'))
    .option('--ca-file <file>', 'certificates to trust, PEM')
    .option('--json', 'print what the service answers');
}

export function serviceOf(options: ServiceOptions): Promise<ServiceClient> {
  return ServiceClient.at(options);
}

/** How many entries a list prints unless told otherwise. */
const DEFAULT_LIMIT = 50;

export function addLimitOption(command: Command): Command {
  return command.option('--limit <number>', 'how many at most', readLimit, DEFAULT_LIMIT);
}

function readLimit(text: string): number {
  const limit = Number(text);
  if (Number.isInteger(limit) && limit >= 1 && limit <= 100_000) return limit;
  throw new LocatedError(`${text.slice(0, 20)} is no number of entries`, '--limit', 'Write 1 to 100000.');
}
