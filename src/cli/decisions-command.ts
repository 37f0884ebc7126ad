import type { Command } from 'commander';
import type { DecisionSummary, StoredEvent } from '../store/records.js';
import { print, printJson } from './output.js';
import { addLimitOption, addServiceOptions, serviceOf, type ServiceOptions } from './service-options.js';
import { table } from './table.js';

interface DecisionsOptions extends ServiceOptions {
  domain?: string;
  device?: string;
  verdict?: string;
  host?: string;
  since?: string;
  until?: string;
  limit: number;
}

interface EventsOptions extends ServiceOptions {
  domain?: string;
  decision?: string;
  kind?: string;
  host?: string;
  limit: number;
}

export function addDecisionsCommand(program: Command): void {
  const command = program
    .command('decisions')
    .description('list decisions, newest first')
    .option('--domain <name>', 'about this domain: name or UUID')
    .option('--device <bdf>', 'that speak of this device')
    .option('--verdict <verdict>', 'unrestricted, exempt, observed, restricted or denied')
    .option('--host <name>', 'made on this node')
    .option('--since <time>', 'not before: 2026-01-31, or 2026-01-31T12:00:00Z')
    .option('--until <time>', 'before');
  addServiceOptions(addLimitOption(command)).action(listDecisions);
}

export function addEventsCommand(program: Command): void {
  const command = program
    .command('events')
    .description('list what happened to decisions, domains and hosts, newest first')
    .option('--domain <name>', 'to this domain: name or UUID')
    .option('--decision <id>', 'that refer to this decision')
    .option('--kind <kind>', 'of this kind, such as started-unprotected, vetoed, mode-changed')
    .option('--host <name>', 'on this node');
  addServiceOptions(addLimitOption(command)).action(listEvents);
}

async function listDecisions(options: DecisionsOptions): Promise<void> {
  const { domain, device, verdict, host, since, until, limit } = options;
  const service = await serviceOf(options);
  const query = { domain, device, verdict, host, since, until };
  const decisions = await service.list<DecisionSummary>('/v1/decisions', query, limit);
  if (options.json) return printJson(decisions);
  if (decisions.length === 0) return print('no decisions');
  print(
    table(
      ['AT', 'DECISION', 'VERDICT', 'ASKED BY', 'DOMAIN', 'DEVICES'],
      decisions.map(({ at, id, verdict: outcome, surface, operation, domainName, devices }) => [
        at,
        id,
        outcome,
        `${surface} ${operation}`,
        domainName,
        devices.join(' ') || '-',
      ]),
    ),
  );
}

async function listEvents(options: EventsOptions): Promise<void> {
  const { domain, decision, kind, host, limit } = options;
  const service = await serviceOf(options);
  const query = { domain, decisionId: decision, kind, host };
  const events = await service.list<StoredEvent>('/v1/events', query, limit);
  if (options.json) return printJson(events);
  if (events.length === 0) return print('no events');
  print(
    table(
      ['AT', 'EVENT', 'DOMAIN', 'BY', 'DETAIL'],
      events.map((event) => [
        event.at,
        event.kind,
        event.domainName ?? '-',
        event.actor ?? '-',
        event.detail,
      ]),
    ),
  );
}
