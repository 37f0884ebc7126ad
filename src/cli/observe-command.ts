import { InvalidArgumentError, type Command } from 'commander';
import { stringify } from 'yaml';
import { loadSettings } from '../config/load-settings.js';
import { loadInventory } from '../decision/load-basis.js';
import { touchedModels, type Proposal, type TouchedModel } from '../guard/touched-registers.js';
import { GuardProgram } from '../host/guard/guard-program.js';
import { LocatedError } from '../located-error.js';
import type { Bdf } from '../pci/bdf.js';
import { POLICY_API_VERSION } from '../policy/policy-document.js';
import { print, printJson } from './output.js';
import { table } from './table.js';

interface ReportOptions {
  days: number;
  json?: boolean;
  exemptions?: boolean;
  owner?: string;
  ticket?: string;
}

/** Registers of a model that are listed; `--json` has all. */
const MOST_LISTED = 12;
/** How long a proposed exemption holds: time to mend the driver, or to say that it needs the registers. */
const EXEMPT_DAYS = 90;
const DAY_MS = 86_400_000;

export function addObserveCommand(program: Command): void {
  const observe = program.command('observe').description('what guests really touch of what policy closes');
  observe
    .command('report')
    .description(
      'for each device model: what guests touched, blocked or only counted by the kernel guard, and what to do about it',
    )
    .option('--days <n>', 'days that a model must have been watched to be called safe', readDays, 7)
    .option('--exemptions', 'print exemptions for what was touched, as policy documents, instead')
    .option('--owner <who>', 'who answers for these exemptions')
    .option('--ticket <id>', 'where they are asked for')
    .option('--json', 'print the report as JSON')
    .action(report);
}

function readDays(text: string): number {
  const days = Number(text);
  if (!Number.isFinite(days) || days < 0 || days > 3650) throw new InvalidArgumentError('Write 0 to 3650.');
  return days;
}

async function report(options: ReportOptions): Promise<void> {
  const settings = await loadSettings(process.env);
  const guard = new GuardProgram(settings.wardenGuard);
  const [{ devices }, places, { inventory }] = await Promise.all([
    guard.status(),
    guard.places(),
    loadInventory(settings),
  ]);
  const now = new Date();
  const models = touchedModels(devices, places, (bdf) => inventory.get(bdf as Bdf), now, options.days);
  if (options.exemptions) return print(exemptionsFor(models, options, now));
  if (options.json) return printJson(models);
  if (models.length === 0) return print('The kernel guard has judged no access yet.');
  print(models.map(describe).join('\n\n'));
}

function describe({ id, devices, judged, days, registers, proposal }: TouchedModel): string {
  const rows = registers
    .slice(0, MOST_LISTED)
    .map(({ region, offset, access, reason, count, blocked, lastAt }) => [
      `${region} 0x${offset.toString(16)}`,
      access,
      reason,
      String(count),
      String(blocked),
      new Date(lastAt).toISOString(),
    ]);
  const left = registers.length - rows.length;
  return [
    `${id} (${devices.join(', ')}): ${judged} accesses judged in ${days.toFixed(1)} days`,
    ...(rows.length > 0
      ? [table(['REGISTER', 'ACCESS', 'REASON', 'TIMES', 'BLOCKED', 'LAST'], rows).replaceAll(/^/gm, '  ')]
      : []),
    ...(left > 0 ? [`  and ${left} more`] : []),
    `  -> ${advice(proposal)}`,
  ].join('\n');
}

function advice(proposal: Proposal): string {
  switch (proposal.kind) {
    case 'wait':
      return `nothing that is closed was touched; watch ${proposal.missingDays.toFixed(1)} days more before you rely on it`;
    case 'enforce':
      return 'safe to enforce: guests of this host touched nothing that enforcing closes';
    case 'exempt':
      return (
        `enforcing breaks these accesses: exempt ${proposal.exposures.join(', ')} ` +
        '(wardenctl observe report --exemptions), or find out what in the guests makes them'
      );
    case 'look':
      return 'a rule of its own closes some of these: weigh by hand whether the guests need them';
  }
}

function exemptionsFor(models: readonly TouchedModel[], { owner, ticket }: ReportOptions, now: Date): string {
  if (owner === undefined || ticket === undefined) {
    throw new LocatedError(
      'an exemption says who answers for it, and where it was asked for',
      '--exemptions',
      'Give --owner and --ticket.',
    );
  }
  const documents = models.flatMap(({ id, registers, proposal }) => {
    if (proposal.kind !== 'exempt') return [];
    const [vendor, device] = id.split(':');
    const places = registers.map(({ offset }) => `0x${offset.toString(16)}`);
    const reason = `guests touch ${[...new Set(places)].slice(0, MOST_LISTED).join(', ')}`;
    return {
      apiVersion: POLICY_API_VERSION,
      kind: 'Exemption',
      metadata: { name: `touched-${vendor}-${device}` },
      spec: {
        match: { devices: [{ vendor, device }] },
        exposures: proposal.exposures,
        reason,
        owner,
        ticket,
        from: now.toISOString().slice(0, 10),
        expires: new Date(now.getTime() + EXEMPT_DAYS * DAY_MS).toISOString().slice(0, 10),
      },
    };
  });
  if (documents.length === 0) return '# nothing was touched that an exemption would have to leave open';
  return documents
    .map((document) => stringify(document, { defaultStringType: 'PLAIN' }))
    .join('---\n')
    .trimEnd();
}
