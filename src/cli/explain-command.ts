import type { Command } from 'commander';
import type { DecisionRecord, StoredEvent } from '../store/records.js';
import { print, printJson } from './output.js';
import { addServiceOptions, serviceOf, type ServiceOptions } from './service-options.js';
import { withoutControls } from '../documents/located-yaml.js';

interface ExplainOptions extends ServiceOptions {
  host?: string;
}

interface ExplainedDecision {
  record: DecisionRecord;
  /** Newest first. */
  events: StoredEvent[];
  explanation: string;
}

const DECISION_ID = /^wd-[0-9a-f]{24}$/;

export function addExplainCommand(program: Command): void {
  const command = program
    .command('explain')
    .description('say why a domain has its restrictions, and what happened to it')
    .argument('<name|uuid|decision>', "a domain's name, UUID or instance name, or the id of a decision")
    .option('--host <name>', 'the node that the domain is on; without it the one that is asked');
  addServiceOptions(command).action(explain);
}

async function explain(key: string, options: ExplainOptions): Promise<void> {
  const service = await serviceOf(options);
  if (DECISION_ID.test(key)) {
    const decision = await service.get<ExplainedDecision>(`/v1/decisions/${key}`);
    if (options.json) printJson(decision);
    else print(inWords(decision));
    return;
  }
  const path = `/v1/domains/${encodeURIComponent(key)}/explanation`;
  const query = { host: options.host };
  if (options.json) printJson(await service.get(path, query));
  else print(onTerminal(await service.text(path, query)));
}

function inWords({ record, events, explanation }: ExplainedDecision): string {
  const { surface, operation } = record.occasion;
  const lines = [
    onTerminal(explanation).trimEnd(),
    '',
    `Asked by ${surface} (${operation}) on ${record.host}`,
  ];
  if (events.length > 0) {
    lines.push('', 'What happened since:');
    lines.push(...events.toReversed().map(({ at, kind, detail }) => `  ${at} ${kind}: ${detail}`));
  }
  return onTerminal(lines.join('\n'));
}

/** Names in it come from domains: they must not be able to steer the terminal. */
function onTerminal(text: string): string {
  return text.split('\n').map(withoutControls).join('\n');
}
