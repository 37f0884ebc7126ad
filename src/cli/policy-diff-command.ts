import { Option, type Command } from 'commander';
import { readXmlDirectory } from '../audit/xml-directory.js';
import type { DomainState } from '../decision/decision.js';
import { STOCK_CAPABILITIES } from '../host/stock-capabilities.js';
import { EffectReckoner, type EffectBasis, type PolicyEffect } from '../policy/effect/policy-effect.js';
import { RiskDatabase } from '../risk/risk-database.js';
import { EXIT, print, printJson } from './output.js';
import {
  addHostOptions,
  addOfflineOptions,
  compileAt,
  evaluationTime,
  inventoryOf,
  type OfflineOptions,
} from './policy-basis.js';

const FAIL_ON = ['nothing', 'denied', 'hardware', 'any'] as const;

interface DiffOptions extends OfflineOptions {
  domains: string;
  failOn: (typeof FAIL_ON)[number];
  state: DomainState;
  mode: 'observe' | 'enforce';
}

export function addPolicyDiffCommand(policy: Command): void {
  const command = policy
    .command('diff')
    .description("say what another revision would change for a host's domains, and why")
    .argument('<old>', 'directory with the documents in force')
    .argument('<new>', 'directory with the documents to come')
    .requiredOption('--domains <dir>', 'directory with domain XML, one file a domain')
    .addOption(
      new Option('--state <state>', 'whether the domains have run')
        .choices(['new', 'has-run', 'unknown'])
        .default('unknown'),
    )
    .addOption(
      new Option(
        '--fail-on <what>',
        'exit with 3 where a domain would be denied; get other guest hardware; change',
      )
        .choices(FAIL_ON)
        .default('nothing'),
    );
  addOfflineOptions(addHostOptions(command)).action(diff);
}

async function diff(oldDirectory: string, newDirectory: string, options: DiffOptions): Promise<void> {
  const [before, after, inventory, seen] = await Promise.all([
    compileAt(oldDirectory, options),
    compileAt(newDirectory, options),
    inventoryOf(options),
    readXmlDirectory(options.domains),
  ]);
  const common: Omit<EffectBasis, 'policy' | 'risks'> = {
    inventory,
    host: STOCK_CAPABILITIES,
    node: { name: options.hostName ?? 'host', labels: options.label },
    hostMode: 'enforce',
    hostdevNetworks: seen.hostdevNetworks,
    evaluatedAt: evaluationTime(options),
  };
  const reckoner = new EffectReckoner(
    { ...common, policy: before.policy, risks: new RiskDatabase(before.risks) },
    { ...common, policy: after.policy, risks: new RiskDatabase(after.risks) },
  );
  for (const { name, next } of seen.domains) {
    if (next !== undefined) {
      reckoner.look({ name, xml: next, domainState: options.state, ranRestricted: [] });
    }
  }
  const effect = reckoner.result();
  effect.unjudged.push(...seen.unseen.map(({ what, problem }) => `${what}: ${problem}`));
  if (options.json) printJson({ old: before.policy.revision, new: after.policy.revision, ...effect });
  else print(report(effect, seen.domains.length));
  if (fails(effect, options.failOn)) process.exitCode = EXIT.denied;
}

function fails({ affected }: PolicyEffect, failOn: DiffOptions['failOn']): boolean {
  switch (failOn) {
    case 'nothing':
      return false;
    case 'denied':
      return affected.some(({ denied }) => denied);
    case 'hardware':
      return affected.some(({ denied, hardware }) => denied || hardware);
    case 'any':
      return affected.length > 0;
  }
}

function report({ looked, affected, disruptive, unjudged }: PolicyEffect, all: number): string {
  const lines = affected.flatMap(({ domain, before, after, denied, hardware, changes }) => [
    `${domain}: ${before} -> ${after}${denied ? ', WOULD BE REFUSED' : ''}${hardware ? ', OTHER GUEST HARDWARE at its next start' : ''}`,
    ...changes.map((change) => `  ${change}`),
  ]);
  if (unjudged.length > 0) lines.push('Not judged:', ...unjudged.map((line) => `  ${line}`));
  lines.push(
    `${affected.length} of ${looked} domains with assigned devices change (${all} domains); ` +
      `${disruptive} would be refused or get other guest hardware`,
  );
  return lines.join('\n');
}
