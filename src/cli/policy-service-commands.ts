import type { Command } from 'commander';
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { ExemptionsAnswer, PolicyStatusAnswer, SyncAnswer } from '../api/policy-control.dto.js';
import { loadSettings } from '../config/load-settings.js';
import { withoutControls } from '../documents/located-yaml.js';
import { LocatedError } from '../located-error.js';
import { EXIT, print, printJson } from './output.js';
import { askPatiently, newerOutcome, type PolicyRequest } from './policy-request.js';
import { ServiceAway } from './service-client.js';
import { addServiceOptions, serviceOf, type ServiceOptions } from './service-options.js';
import { table } from './table.js';

const SYNC: PolicyRequest = {
  method: 'post',
  path: '/v1/policies/sync',
  outcomeOf: ({ lastSync }) => lastSync,
};
const PIN: PolicyRequest = {
  method: 'put',
  path: '/v1/policies/pin',
  outcomeOf: ({ lastRequest }) => lastRequest,
};
const UNPIN: PolicyRequest = { ...SYNC, method: 'delete', path: '/v1/policies/pin' };

/** Commands that ask the service which revision is in force, and steer that. */
export function addPolicyServiceCommands(policy: Command): void {
  const add = (name: string, description: string) =>
    addServiceOptions(policy.command(name).description(description));
  add(
    'status',
    'show which revision is in force, what waits, and how the last look at the source went',
  ).action(status);
  add('exemptions', 'list exemptions and when they end').action(exemptions);
  add('sync', 'look at the source of policies now').action((options: ServiceOptions) => ask(SYNC, options));
  add('approve', 'let a revision that waits come into force, or accept a history that was refused')
    .argument('<revision>', 'its id or commit, or the beginning of one')
    .action((revision: string, options: ServiceOptions) =>
      ask(
        { method: 'post', path: '/v1/policies/approve', body: { revision }, outcomeOf: newerOutcome },
        options,
      ),
    );
  add(
    'pin',
    'put a revision in force, and keep it whatever the source says; works with the service dead, too',
  )
    .argument('<revision>', 'its id or commit, or the beginning of one, or "previous"')
    .action(pin);
  add('unpin', 'let the source have its say again; works with the service dead, too').action(unpin);
}

async function status(options: ServiceOptions): Promise<void> {
  const answer = await (await serviceOf(options)).get<PolicyStatusAnswer>('/v1/policies/status');
  if (options.json) return printJson(answer);
  const { source, inForce, pinned, held, lastSync, lastRefusal, underWay, warnings } = answer;
  const lines = [
    `source    ${source}`,
    `in force  ${inForce ? revisionLine(inForce) : "the package's own policies"}`,
  ];
  if (pinned !== undefined) lines.push(`pinned    ${pinned.slice(0, 12)} (wardenctl policy unpin lets go)`);
  if (held) {
    lines.push(
      `waits     ${revisionLine(held)}, since ${held.since}`,
      `          ${held.reason}`,
      ...held.examples.flatMap(({ domain, changes }) => [
        `          ${domain}:`,
        ...changes.map((change) => `            ${change}`),
      ]),
      `          wardenctl policy approve ${held.id.slice(0, 12)}`,
    );
  }
  if (lastSync) lines.push(`last look ${lastSync.at}: ${lastSync.result}: ${lastSync.detail}`);
  if (lastRefusal) lines.push(`refused   ${lastRefusal.at}: ${lastRefusal.reason}: ${lastRefusal.detail}`);
  if (isOtherHistory(lastSync)) {
    lines.push(
      `          meant? wardenctl policy approve ${lastSync!.commit!.slice(0, 12)} accepts that history`,
    );
  }
  lines.push(...underWay.map(({ step, since }) => `now       ${step}, since ${since}`));
  lines.push(...warnings.map((warning) => `warning   ${warning}`));
  print(lines.map(withoutControls).join('\n'));
}

function isOtherHistory({ result, reason, commit }: Partial<SyncAnswer> = {}): boolean {
  return result === 'refused' && (reason === 'rolled-back' || reason === 'rewritten') && commit !== undefined;
}

function revisionLine({ id, commit, signer }: { id: string; commit?: string; signer?: string }): string {
  const from = commit === undefined ? '' : `, commit ${commit.slice(0, 12)}`;
  return `${id.slice(0, 12)}${from}${signer === undefined ? '' : `, signed by ${signer}`}`;
}

async function exemptions(options: ServiceOptions): Promise<void> {
  const { items } = await (await serviceOf(options)).get<ExemptionsAnswer>('/v1/policies/exemptions');
  if (options.json) return printJson(items);
  if (items.length === 0) return print('no exemptions');
  print(
    table(
      ['EXEMPTION', 'STATE', 'EXPIRES', 'OWNER', 'TICKET', 'REASON'],
      items.map(({ name, state, expires, owner, ticket, reason }) => [
        name,
        state,
        expires,
        owner,
        ticket,
        reason,
      ]),
    ),
  );
}

async function pin(revision: string, options: ServiceOptions): Promise<void> {
  try {
    await ask({ ...PIN, body: { revision } }, options);
  } catch (error) {
    const file = await pinFileFor(error, options);
    if (!/^([0-9a-f]{7,64}|previous)$/.test(revision)) {
      throw new LocatedError(
        `${revision.slice(0, 20)} is no revision`,
        file,
        'Name it by its id or commit, or as previous.',
      );
    }
    await mkdir(join(file, '..'), { recursive: true });
    await writeFile(file, `${revision}\n`);
    print(`written to ${file}: the service goes by it when it starts`);
  }
}

async function unpin(options: ServiceOptions): Promise<void> {
  try {
    await ask(UNPIN, options);
  } catch (error) {
    const file = await pinFileFor(error, options);
    await rm(file, { force: true });
    print(`removed ${file}: the service goes by its source when it starts`);
  }
}

/** The file is this host's: for a service elsewhere it would be the wrong one. */
async function pinFileFor(error: unknown, options: ServiceOptions): Promise<string> {
  if (!(error instanceof ServiceAway) || !options.server.startsWith('unix:')) throw error;
  const { stateDirectory } = await loadSettings(process.env);
  return join(stateDirectory, 'policy/pin');
}

async function ask(request: PolicyRequest, options: ServiceOptions): Promise<void> {
  const service = await serviceOf(options);
  tell(await askPatiently(service, request, (line) => process.stderr.write(`${line}\n`)), options);
}

function tell(answer: SyncAnswer, options: ServiceOptions): void {
  if (options.json) printJson(answer);
  else
    print(withoutControls(`${answer.result}: ${answer.reason ? `${answer.reason}: ` : ''}${answer.detail}`));
  if (answer.result === 'refused') process.exitCode = EXIT.badInput;
}
