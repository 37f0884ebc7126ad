#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { WorkerStarter } from './policy/activation/worker-starter.js';

// To read the revision in force takes longest of the start: its process begins while the rest of this one is being loaded.
const workers = new WorkerStarter(
  fileURLToPath(new URL('./policy/activation/policy-worker.js', import.meta.url)),
);
workers.startAhead(0);
const { run } = await import('./service/run.js');
await run(workers);
