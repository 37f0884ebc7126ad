import type { Command } from 'commander';
import { decide } from '../decision/decide.js';
import { explain } from '../decision/explanation.js';
import { readDomain } from '../domain-xml/domain-document.js';
import { STOCK_CAPABILITIES } from '../host/stock-capabilities.js';
import { traceRules } from '../policy/effect/rule-trace.js';
import { RiskDatabase } from '../risk/risk-database.js';
import { print, printJson } from './output.js';
import {
  addHostOptions,
  addOfflineOptions,
  compileAt,
  evaluationTime,
  inventoryOf,
  namer,
  type OfflineOptions,
} from './policy-basis.js';
import { readDocument } from './read-input.js';

export function addPolicyExplainCommand(policy: Command): void {
  const command = policy
    .command('explain')
    .description('say which rule decides about each device of a domain, and why those before it do not')
    .argument('<dir>')
    .argument('<domain>', 'domain XML, or - for standard input');
  addOfflineOptions(addHostOptions(command)).action(explainPolicy);
}

async function explainPolicy(directory: string, domain: string, options: OfflineOptions): Promise<void> {
  const [{ policy, risks }, inventory, xml] = await Promise.all([
    compileAt(directory, options),
    inventoryOf(options),
    readDocument(domain),
  ]);
  const database = new RiskDatabase(risks);
  const node = { name: options.hostName ?? 'host', labels: options.label };
  const document = readDomain(xml);
  const { decision } = decide({
    xml,
    document,
    inventory,
    host: STOCK_CAPABILITIES,
    policy,
    risks: database,
    node,
    evaluatedAt: evaluationTime(options),
    domainState: 'unknown',
    guestHardware: 'may-change',
    ranRestricted: [],
    hostMode: 'enforce',
    hostdevNetworks: [],
  });
  const traces = decision.devices.map((device) => ({
    device: device.source ?? device.reference ?? device.place,
    rules: traceRules(policy, node, document, device, inventory),
  }));
  if (options.json) return printJson({ decision, traces });
  const lines = traces.flatMap(({ device, rules }) => [
    `${device}:`,
    ...rules.map(({ rule, file, verdict }) => `  ${rule} (${file}): ${verdict}`),
    ...(rules.some(({ verdict }) => verdict === 'DECIDES') ? [] : ['  no rule speaks of it']),
  ]);
  print([explain(decision, await namer()).trimEnd(), '', 'Rules, in order:', ...lines].join('\n'));
}
