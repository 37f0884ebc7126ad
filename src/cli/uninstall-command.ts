import type { Command } from 'commander';
import { join } from 'node:path';
import { loadSettings } from '../config/load-settings.js';
import type { Settings } from '../config/settings.js';
import { withoutControls } from '../documents/located-yaml.js';
import { writeModeFile } from '../host/host-switch.js';
import { VfioParameters } from '../host/vfio-parameters/vfio-parameters.js';
import { LibvirtClient } from '../libvirt/rpc/libvirt-client.js';
import { LocatedError } from '../located-error.js';
import { parameterFiles } from '../service/parameter-setup.js';
import { upstreamSocket } from '../service/upstream-socket.js';
import type { DomainRecord } from '../store/records.js';
import { askDeployScript, runDeployScript } from '../uninstall/deploy-script.js';
import { readEditedDomains } from '../uninstall/edited-domains.js';
import { planUndo, type KnownPast, type UndoPlan } from '../uninstall/undo-plan.js';
import { EXIT, print, printJson } from './output.js';
import { ServiceAway, type ServiceClient } from './service-client.js';
import { addServiceOptions, serviceOf, type ServiceOptions } from './service-options.js';

interface UninstallOptions extends ServiceOptions {
  check?: boolean;
  force?: boolean;
  edits?: boolean;
}

/** More than any host has. */
const MAX_DOMAINS = 100_000;

export function addUninstallCommand(program: Command): void {
  const command = program
    .command('uninstall')
    .description(
      'take back what vfio-warden did to this host: its edits, the sockets, the hook; VMs go on running',
    )
    .option('--check', 'only say what would be done; ends with 3 where something needs a decision of yours')
    .option('--force', 'also take back edits that a guest may have seen: it finds its devices elsewhere then')
    .option('--edits', 'only the edits of domains; sockets and hook stay');
  addServiceOptions(command).action(uninstall);
}

async function uninstall(options: UninstallOptions): Promise<void> {
  const settings = await loadSettings(process.env);
  const pasts = await knownPasts(await serviceOf(options));
  const steps: Step[] = [];
  if (!options.edits) steps.push(...(await leaveThePath(settings, options.check === true)));
  const client = await connect(settings);
  let plans: UndoPlan[];
  try {
    const domains = await readEditedDomains(client);
    plans = domains.map((domain) => planUndo(domain, pasts?.get(domain.uuid), options.force === true));
    if (!options.check) plans = await carryOut(client, plans);
  } finally {
    await client.close();
  }
  const kept = plans.filter(({ action }) => action === 'keep');
  if (options.json) printJson({ done: !options.check, steps, domains: plans.map(withoutXml) });
  else print(report(plans, steps, options, pasts !== undefined));
  if (kept.length > 0) process.exitCode = EXIT.denied;
}

interface Step {
  what: string;
  said: string;
}

/** First nothing is rewritten any more, then nobody comes through us any more; only then edits are taken back. */
async function leaveThePath(settings: Settings, check: boolean): Promise<Step[]> {
  const { stateDirectory } = settings;
  const file = join(stateDirectory, 'mode');
  if (check) {
    return [
      { what: 'switch', said: `off is written to ${file}` },
      { what: 'sockets', said: await askDeployScript('takeover.sh', '--check') },
      { what: 'hook', said: 'install-hook.sh --remove' },
      { what: 'kernel', said: 'parameters of vfio-pci that the service has set are set back' },
    ];
  }
  await writeModeFile(file, 'off');
  return [
    { what: 'switch', said: `off, written to ${file}` },
    { what: 'kernel', said: await giveParametersBack(settings) },
    { what: 'sockets', said: (await runDeployScript('takeover.sh', '--back')) || 'back' },
    { what: 'hook', said: (await runDeployScript('install-hook.sh', '--remove')) || 'gone' },
  ];
}

/** The service does so, too, once the switch is off; but it may be dead. */
async function giveParametersBack(settings: Settings): Promise<string> {
  const status = await new VfioParameters(parameterFiles(settings)).converge(() => undefined, new Set());
  const problem = [status.configured, status.live].find(({ state }) => state === 'differs');
  if (problem) return `parameters of vfio-pci stay as they are: ${problem.detail}`;
  return status.steps.length > 0
    ? 'parameters of vfio-pci are what they were'
    : 'no parameters of vfio-pci were set';
}

/** What the service knows of each domain by UUID; undefined where it does not answer. */
async function knownPasts(service: ServiceClient): Promise<ReadonlyMap<string, KnownPast> | undefined> {
  try {
    const { name: host } = await service.get<{ name: string }>('/v1/host');
    const records = await service.list<DomainRecord>('/v1/domains', { host }, MAX_DOMAINS);
    return new Map(records.map((record) => [record.uuid, record]));
  } catch (error) {
    if (error instanceof ServiceAway) return undefined;
    throw error;
  }
}

async function connect({ libvirtSocket }: Settings): Promise<LibvirtClient> {
  const path = upstreamSocket(libvirtSocket, []);
  try {
    return await LibvirtClient.connect({ path, keepalive: false });
  } catch (error) {
    throw new LocatedError(
      `libvirt cannot be asked: ${error instanceof Error ? error.message : String(error)}`,
      path,
      'Start libvirt, run this as root, or correct the setting libvirtSocket.',
    );
  }
}

/** One domain that libvirt refuses does not keep the others from being restored. */
async function carryOut(client: LibvirtClient, plans: readonly UndoPlan[]): Promise<UndoPlan[]> {
  const outcomes: UndoPlan[] = [];
  for (const plan of plans) {
    if (plan.action === 'undo') {
      try {
        await client.defineDomain(plan.xml);
      } catch (error) {
        const reason = `libvirt refuses it: ${error instanceof Error ? error.message : String(error)}`;
        outcomes.push({ domain: plan.domain, action: 'keep', reason, forceable: false });
        continue;
      }
    }
    outcomes.push(plan);
  }
  return outcomes;
}

function report(
  plans: readonly UndoPlan[],
  steps: readonly Step[],
  { check, edits }: UninstallOptions,
  serviceAnswers: boolean,
): string {
  const undone = plans.filter((plan) => plan.action === 'undo');
  const kept = plans.filter((plan) => plan.action === 'keep');
  const lines = [
    check ? 'Would be done (nothing was):' : 'Done:',
    ...steps.flatMap(({ what, said }) => said.split('\n').map((line) => `  ${what.padEnd(9)}${line}`)),
    ...undone.flatMap(({ domain, steps: each }) => [`  ${domain}:`, ...each.map((step) => `    ${step}`)]),
    `  edits    of ${undone.length} domains taken back, ${plans.length - undone.length - kept.length} had none`,
  ];
  if (kept.length > 0) {
    lines.push(
      '',
      `${kept.length} keep their edits, and work without vfio-warden:`,
      ...kept.map(
        ({ domain, reason, forceable }) =>
          `  ${domain}: ${reason}${forceable ? ' (--force takes them back all the same)' : ''}`,
      ),
    );
  }
  if (!serviceAnswers) {
    lines.push('', 'The service does not answer, so it is not known which domains have run with our edits.');
  }
  if (!edits) {
    lines.push(
      '',
      'Left to you, since it holds the record of what was decided:',
      '  /usr/lib/vfio-warden/deploy/install.sh --remove',
    );
  }
  return lines.map(withoutControls).join('\n');
}

function withoutXml(plan: UndoPlan): object {
  if (plan.action !== 'undo') return plan;
  const { domain, action, steps } = plan;
  return { domain, action, steps };
}
