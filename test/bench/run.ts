import 'reflect-metadata';
import { availableParallelism, loadavg } from 'node:os';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';
import { benchDecide } from './decide.js';
import { remark } from './figures.js';
import { benchFilter } from './filter.js';
import { benchGuard } from './guard.js';
import { benchHook } from './hook.js';
import { benchProxy } from './proxy.js';
import { benchReconcile } from './reconcile.js';
import { benchReload } from './reload.js';
import { benchRules } from './rules.js';
import { benchService } from './service.js';

/** Runs the topics that are named, or all; see README.md beside this file. */

interface Topic {
  run(): Promise<void>;
  /** Whether it runs a libvirtd of its own. */
  needsHost: boolean;
}

const TOPICS: Record<string, Topic> = {
  decide: { run: benchDecide, needsHost: false },
  proxy: { run: benchProxy, needsHost: true },
  hook: { run: benchHook, needsHost: true },
  reconcile: { run: benchReconcile, needsHost: true },
  rules: { run: benchRules, needsHost: false },
  reload: { run: benchReload, needsHost: false },
  service: { run: benchService, needsHost: true },
};

/** Those that are not among "all": a kernel has to boot, or a patched QEMU to be there. */
const ONLY_BY_NAME: Record<string, Topic> = {
  guard: { run: benchGuard, needsHost: false },
  filter: { run: benchFilter, needsHost: false },
};
const KNOWN = { ...TOPICS, ...ONLY_BY_NAME };

const names = process.argv.slice(2);
const unknown = names.find((name) => !Object.hasOwn(KNOWN, name));
if (unknown !== undefined) {
  console.error(`no topic ${unknown}; there are: ${Object.keys(KNOWN).join(', ')}`);
  process.exit(2);
}

for (const name of names.length > 0 ? names : Object.keys(TOPICS)) {
  const { run, needsHost } = KNOWN[name]!;
  const missing = needsHost ? fixtureHostMissing() : undefined;
  if (missing !== undefined) {
    remark(`skipped: ${name}: ${missing}`);
    continue;
  }
  sayLoad(`before ${name}`);
  await run();
  sayLoad(`after ${name}`);
}

/** Of the last minute: the figures mean little where others compete for the processors. */
function sayLoad(when: string): void {
  const processors = availableParallelism();
  const load = loadavg()[0]!;
  const busy = load > processors ? ': the machine is busy' : '';
  remark(`load average ${load.toFixed(1)} on ${processors} processors ${when}${busy}`);
}
