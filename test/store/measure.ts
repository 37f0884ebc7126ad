import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { monitorEventLoopDelay } from 'node:perf_hooks';
import { setImmediate as turn } from 'node:timers/promises';
import { DecisionJournal } from '../../src/store/decision-journal.js';
import { openStore } from '../../src/store/open-store.js';
import type { DecisionQuery, Store } from '../../src/store/store.js';
import { PostgresServer } from './postgres-server.js';
import { HOST, NVME, START, decisionRecord, domainRecord, eventRecord, uuid } from './records.js';

/**
 * Prints one line a figure: what the store costs. `tsx test/store/measure.ts [sqlite|postgres] [DECISIONS]`.
 * Half of the decisions are pruned in the end; each has two events.
 */
const [kind = 'sqlite', count = '200000'] = process.argv.slice(2);
const decisions = Number(count);
/** Decisions in one turn of the event loop, as a service under load has them. */
const BURST = 4;
const MOST_PENDING = 500;

const directory = mkdtempSync(join(tmpdir(), 'warden-measure-'));
const sqliteFile = join(directory, 'warden.db');
const server = kind === 'postgres' ? await PostgresServer.start() : undefined;
const databaseUrl = await server?.createDatabase('measure');
const delay = monitorEventLoopDelay({ resolution: 1 });

try {
  const store = await openStore({
    sqliteFile,
    host: HOST,
    ...(databaseUrl !== undefined && { databaseUrl }),
  });
  await write(store);
  await prune(store);
  await read(store);
  await store.close();
} finally {
  rmSync(directory, { recursive: true });
  await server?.remove();
}

async function write(store: Store): Promise<void> {
  const journal = new DecisionJournal(store, { host: HOST });
  const rss: number[] = [];
  delay.enable();
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  for (let n = 0; n < decisions; n += 1) {
    const record = decisionRecord(n, { domainName: `vm-${n % 500}`, domainUuid: uuid(n % 500) });
    const decisionId = record.decision.id;
    journal.decision(record);
    journal.event(eventRecord(n, { kind: 'rewritten', decisionId }));
    journal.event(eventRecord(n, { decisionId }));
    if (n % 10 === 0) journal.domain(domainRecord(n % 500, { decisionId }));
    if (n % BURST === BURST - 1) await turn();
    if (journal.status().pending > MOST_PENDING) await journal.flush(60_000);
    if (n % (decisions / 10) === 0) rss.push(Math.round(process.memoryUsage.rss() / 2 ** 20));
  }
  await journal.flush(60_000);
  const seconds = (performance.now() - startedAt) / 1000;
  delay.disable();
  const { pending, lost } = journal.status();
  if (pending + lost > 0) throw new Error(`${pending} pending, ${lost} lost`);
  print('decisions written, each with two events', decisions / seconds, '/s');
  print('processor time of it', cpuMs(cpu) / decisions, 'ms/decision');
  printDelay('event loop while writing');
  console.log(`rss after each tenth: ${rss.join(' ')} MiB`);
  if (kind === 'sqlite') print('file', statSync(sqliteFile).size / decisions, 'bytes/decision');
}

async function read(store: Store): Promise<void> {
  const middle = new Date(START + decisions * 0.75).toISOString();
  const queries: Record<string, Omit<DecisionQuery, 'limit'>> = {
    'first page': {},
    'by device': { device: NVME },
    'by device, none': { device: '0000:00:00.0' },
    'by domain name': { domain: 'vm-7' },
    'by domain UUID': { domain: uuid(7) },
    'by verdict, none': { verdict: 'denied' },
    'from the middle': { until: middle },
    'by domain, host and verdict': { domain: 'vm-7', host: HOST, verdict: 'restricted' },
  };
  for (const [name, query] of Object.entries(queries)) {
    const startedAt = performance.now();
    await store.decisions({ limit: 100, ...query });
    print(`page ${name}`, performance.now() - startedAt, 'ms');
  }
  const startedAt = performance.now();
  await store.decision(decisionRecord(decisions - 1).decision.id);
  print('one decision', performance.now() - startedAt, 'ms');
}

async function prune(store: Store): Promise<void> {
  delay.reset();
  delay.enable();
  const startedAt = performance.now();
  const cpu = process.cpuUsage();
  const pruned = await store.prune({ days: 36_500, decisions: decisions / 2 }, new Date());
  print(`prune of ${pruned} decisions`, performance.now() - startedAt, 'ms');
  delay.disable();
  print('processor time of it', cpuMs(cpu) / pruned, 'ms/decision');
  printDelay('event loop while pruning');
}

function cpuMs(since: NodeJS.CpuUsage): number {
  const { user, system } = process.cpuUsage(since);
  return (user + system) / 1000;
}

function printDelay(name: string): void {
  print(`${name}, p99`, delay.percentile(99) / 1e6, 'ms');
  print(`${name}, longest`, delay.max / 1e6, 'ms');
}

function print(name: string, value: number, unit: string): void {
  console.log(`${name}: ${value.toPrecision(3)} ${unit}`);
}
