#!/usr/bin/env node
import { fileURLToPath } from 'node:url';
import { startWorker } from './policy/activation/start-worker.js';

// To read the revision in force takes longest of the start: its process begins while the rest of this one is being loaded.
const program = fileURLToPath(new URL('./policy/activation/policy-worker.js', import.meta.url));
const worker = startWorker(program);
const { run } = await import('./service/run.js');
await run({ program, worker });
