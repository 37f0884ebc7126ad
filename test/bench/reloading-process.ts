import 'reflect-metadata';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compiledService, POLICY_WORKER } from '../end-to-end/compiled-service.js';
import { guestWith, NVME } from '../end-to-end/guests.js';
import { DecisionService } from '../../src/decision/decision.service.js';
import { UNPROBED_HOST } from '../../src/host/host-capabilities.js';
import { readInventoryFile } from '../../src/pci/inventory-file.js';
import { PolicyActivation } from '../../src/policy/activation/policy-activation.js';
import { DirectoryOrigin } from '../../src/policy/activation/policy-origin.js';
import { PolicyProcess } from '../../src/policy/activation/policy-process.js';
import { WorkerStarter } from '../../src/policy/activation/worker-starter.js';
import { RevisionStore } from '../../src/policy/activation/revision-store.js';
import { STOCK_QEMU } from '../properties/sample-host.js';

/**
 * A node as far as policies concern it, with what the service has of them: decisions at a steady rate, whether the ones before
 * are made or not, in the process that takes new revisions over.
 *   reloading-process.ts BUNDLE STATE_DIRECTORY DECISIONS_A_SECOND
 * Takes `reload` and `tell` from its parent, and answers each with a `Report` of what was since the last.
 */

/** What is told to the parent. */
export interface Report {
  /** Milliseconds from when each decision was due until it was made, by `clock`. */
  delays: number[];
  /** When each was made, in milliseconds of CLOCK_MONOTONIC. */
  madeAt: number[];
  /** Milliseconds by `clock`, and by a real one. */
  tookMs: number;
  realMs: number;
  /** Bytes that this process had resident at most. */
  peakBytes: number;
  /** What a reload came to. */
  result?: string;
}

const [bundle, state, rate] = process.argv.slice(2);
const DOMAINS = 64;
/** Behind by so much, it will never catch up. */
const OVERRUN_MS = 5_000;
/** `PolicyNode` of the fixture's inventory. */
const NODE = { name: 'node-1', labels: [] };

// Small ones: what is measured is what a reload does to decisions, not what they take.
const domains = Array.from({ length: DOMAINS }, (_, at) =>
  guestWith(NVME, `guest-${at}`, `5d0f1c52-3a3f-4b0e-9a55-${`${at}`.padStart(12, '0')}`),
);
const workers = new WorkerStarter(join(compiledService(), POLICY_WORKER));
// As the service does, while it is small.
workers.startAhead(0);
const activation: PolicyActivation = new PolicyActivation({
  origin: new DirectoryOrigin(bundle!, 'policies/risks'),
  reader: new PolicyProcess(workers),
  store: new RevisionStore(join(state!, 'policy')),
  basis: () => decisions.basis,
  apply: ({ policy, risks }) => decisions.replace({ policy, risks }),
  domains: async () =>
    domains.slice(0, 20).map((xml) => ({ name: 'vm', xml, domainState: 'has-run', ranRestricted: [] })),
  hostdevNetworks: () => [],
  pin: { read: async () => undefined, write: async () => {} },
  brakePercent: 100,
  tell: () => {},
  clock: () => new Date(),
});
await activation.restore();
const { policy, risks } = await activation.begin();
const inventory = await readInventoryFile('test/fixtures/inventory/node.json');
const decisions: DecisionService = new DecisionService({
  inventory,
  host: { ...UNPROBED_HOST, ...STOCK_QEMU },
  policy,
  risks,
  hostMode: 'enforce',
  node: NODE,
});

const everyMs = 1000 / Number(rate);
const empty = () => ({
  delays: [],
  madeAt: [],
  peakBytes: 0,
  tookMs: clock(),
  realMs: performance.now(),
});
let report: Report = empty();
let next = clock();
let made = 0;

/**
 * Milliseconds on a clock that stands still while this thread is ready to run and the kernel runs others
 * (Documentation/scheduler/sched-stats.rst): on a busy machine one that is slower, not one that stumbles.
 */
function clock(): number {
  const [, waited] = readFileSync('/proc/thread-self/schedstat', 'latin1').split(' ');
  return performance.now() - Number(waited) / 1e6;
}

function decideWhatIsDue(): void {
  const begun = clock();
  if (begun - next > OVERRUN_MS) throw new Error('this machine cannot make so many decisions a second');
  for (; next <= begun; next += everyMs) {
    decisions.evaluate({
      xml: domains[made++ % DOMAINS]!,
      domainState: 'new',
      hostdevNetworks: [],
      evaluatedAt: new Date().toISOString(),
    });
    report.delays.push(clock() - next);
    report.madeAt.push(Number(process.hrtime.bigint()) / 1e6);
  }
}
setInterval(decideWhatIsDue, 1);

process.on('message', (message) => {
  void (async () => {
    let result: string | undefined;
    if (message === 'reload') {
      writeFileSync('/proc/self/clear_refs', '5');
      const outcome = await activation.sync();
      result = `${outcome.result}: ${outcome.detail}`;
    }
    const peak = /^VmHWM:\s+(\d+) kB$/m.exec(readFileSync('/proc/self/status', 'utf8'))![1];
    process.send!({
      ...report,
      peakBytes: Number(peak) * 1024,
      tookMs: clock() - report.tookMs,
      realMs: performance.now() - report.realMs,
      ...(result !== undefined && { result }),
    });
    report = empty();
    // To tell it took time that no decision is to answer for.
    next = clock();
  })();
});
process.on('disconnect', () => process.exit());
process.send!('begun');
