import { Option, type Command } from 'commander';
import { Auditor } from '../audit/audit-domain.js';
import { fallsShort, hasOpenRisk, summarize } from '../audit/audit-summary.js';
import type { DomainAudit } from '../audit/domain-audit.js';
import { readLibvirtHost } from '../audit/libvirt-host.js';
import type { Sighting, Unseen } from '../audit/seen-domain.js';
import { readXmlDirectory } from '../audit/xml-directory.js';
import { namerOf } from '../decision/explanation.js';
import { loadBasis, type LoadedBasis } from '../decision/load-basis.js';
import { refusalsOf } from '../located-error.js';
import { readPciIds } from '../pci/pci-ids-file.js';
import type { Severity } from '../risk/risk-entry.js';
import { DomainReport } from './audit-report.js';
import { summaryLines } from './audit-summary-report.js';
import { EXIT, print, printJson } from './output.js';
import { addSettingsOptions, settingsFrom, type SettingsOptions } from './settings-options.js';
import { fold, terminalOf, type Terminal } from './terminal.js';

/** `short`: something that policy asks for is not in force. The others: an open risk at least this severe. */
const THRESHOLDS = ['short', 'critical', 'high', 'medium'] as const;
type Threshold = (typeof THRESHOLDS)[number];

interface AuditOptions extends SettingsOptions {
  xml?: string;
  socket?: string;
  hostdevNetwork: string[];
  json?: boolean;
  failOn?: Threshold;
}

export function addAuditCommand(program: Command): void {
  const command = program
    .command('audit')
    .description(
      'show what each domain of this host exposes, and what enforcing a policy would change; changes nothing',
    )
    .option('--socket <path>', "libvirt's socket (default: its read-only one)")
    .addOption(new Option('--xml <dir>', 'audit domain XML files instead of a libvirt').conflicts('socket'))
    .option('--hostdev-network <name...>', 'further networks that hand out host functions', [] as string[])
    .option('--json', 'print the audit as JSON')
    .addOption(
      new Option(
        '--fail-on <what>',
        'end with 3 where a domain falls short of the policy or has such a risk open, or could not be read',
      ).choices(THRESHOLDS),
    );
  addSettingsOptions(command, ['policies', 'risks', 'inventory', 'sysfs', 'emulator']).action(audit);
}

async function audit(options: AuditOptions): Promise<void> {
  const [basis, sighting] = await Promise.all([
    loadBasis(settingsFrom(options)),
    options.xml === undefined ? readLibvirtHost(options.socket) : readXmlDirectory(options.xml),
  ]);
  const auditedAt = new Date().toISOString();
  const { domains, unseen } = auditDomains(basis, sighting, options.hostdevNetwork, auditedAt);
  const summary = summarize(domains);
  if (options.json) {
    const { origin } = sighting;
    const revisions = { policy: basis.policy.revision, risks: basis.risks.revision };
    printJson({ auditedAt, origin, ...revisions, summary, domains, unseen });
  } else {
    const terminal = terminalOf(process.stdout, process.env);
    const report = new DomainReport(terminal, namerOf(await readPciIds()));
    const lines = [
      ...heading(sighting, basis, auditedAt, terminal),
      ...domains.flatMap((domain) => report.lines(domain)),
      ...summaryLines(summary, unseen, terminal),
    ];
    print(lines.join('\n'));
  }
  if (options.failOn && (unseen.length > 0 || domains.some(crosses(options.failOn)))) {
    process.exitCode = EXIT.denied;
  }
}

/** One domain that cannot be judged must not hide the others. */
function auditDomains(
  basis: LoadedBasis,
  sighting: Sighting,
  networks: readonly string[],
  evaluatedAt: string,
): { domains: DomainAudit[]; unseen: Unseen[] } {
  const hostdevNetworks = [...new Set([...sighting.hostdevNetworks, ...networks])];
  const auditor = new Auditor(basis, { hostdevNetworks, evaluatedAt });
  const domains: DomainAudit[] = [];
  const unseen = [...sighting.unseen];
  for (const seen of sighting.domains) {
    try {
      domains.push(auditor.audit(seen));
    } catch (error) {
      const refusals = refusalsOf(error);
      if (!refusals) throw error;
      unseen.push({
        what: seen.file ?? `domain ${seen.name}`,
        problem: refusals.map(({ place, problem }) => `${place}: ${problem}`).join('; '),
      });
    }
  }
  return { domains, unseen };
}

function crosses(threshold: Threshold): (domain: DomainAudit) => boolean {
  return (domain) =>
    threshold === 'short' ? fallsShort(domain) : hasOpenRisk(domain, threshold satisfies Severity);
}

function heading(
  { origin }: Sighting,
  { policy, risks, inventory, inventoryProblems }: LoadedBasis,
  auditedAt: string,
  { width, paint }: Terminal,
): string[] {
  const unread = inventory.functions.filter(({ configSpace }) => !configSpace).length;
  return [
    paint('bold', `vfio-warden audit of ${origin}`),
    ...fold(
      '',
      `${auditedAt}, policy ${policy.revision.slice(0, 12)} (${policy.rules.length} rules), ` +
        `risk database ${risks.revision.slice(0, 12)}, ${inventory.functions.length} host functions` +
        (unread > 0 ? `, config space of ${unread} of them not read` : ''),
      width,
    ),
    ...(inventoryProblems.length > 0 && unread > 0
      ? fold(
          '',
          'Devices that a VM may hold are not touched, and only root can read config space: what was not read is assumed open.',
          width,
        )
      : []),
  ];
}
