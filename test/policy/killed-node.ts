import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { GitOrigin } from '../../src/policy/activation/policy-origin.js';
import { PolicyProcess } from '../../src/policy/activation/policy-process.js';
import { WorkerStarter } from '../../src/policy/activation/worker-starter.js';
import { PolicyNodeStand } from './node.js';

/**
 * A process that is made to be killed: source, store, activation and its own process as the service has them, and nothing else, since
 * all else would only cost time. It answers each line with a line of JSON.
 *   killed-node STATE URL RISKS PROGRAM-THAT-READS
 */
const [directory, url, risks, worker] = process.argv.slice(2) as [string, string, string, string];
const origin = new GitOrigin(
  { url, ref: 'main', path: '', access: {}, directory: join(directory, 'git') },
  risks,
);
const node = new PolicyNodeStand('node-1', origin, directory, {
  reader: new PolicyProcess(new WorkerStarter(worker)),
});

/** What it decides by, and what it says of itself. */
export interface KilledNodeAnswer {
  rule: string | undefined;
  id: string | undefined;
  commit: string | undefined;
  problems: string[];
  result?: string;
}

function say(more: { problems: string[]; result?: string }): void {
  const { inForce } = node.activation.status();
  const answer: KilledNodeAnswer = {
    rule: node.decide().devices[0]?.rule?.name,
    id: inForce?.id,
    commit: inForce?.commit,
    ...more,
  };
  process.stdout.write(`${JSON.stringify(answer)}\n`);
}

for await (const line of createInterface({ input: process.stdin })) {
  if (line === 'start') say({ problems: await node.start() });
  if (line === 'sync') {
    const { result, detail } = await node.activation.sync();
    say({ problems: result === 'refused' ? [detail] : [], result });
  }
}
