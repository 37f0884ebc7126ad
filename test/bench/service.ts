import { once } from 'node:events';
import { Agent, request, type IncomingMessage } from 'node:http';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { compiledService } from '../end-to-end/compiled-service.js';
import { GuardedHost } from '../end-to-end/guarded-host.js';
import type { RunningService } from '../end-to-end/running-service.js';
import { nodeDomain } from './assigned-domain.js';
import { figures, print, remark, time } from './figures.js';

const STARTS = 7;
const DECISIONS = 100_000;
/** As many as libvirt starts at once on a busy host. */
const CALLERS = 4;
/** Milliseconds after which nothing of the start is still at work. */
const REST_MS = 3_000;

/** How soon the service can be relied upon, and what memory it takes. */
export async function benchService(): Promise<void> {
  // Not to be counted as part of the first start.
  compiledService();
  const host = await GuardedHost.start();
  try {
    const ready: number[] = [];
    const listening: number[] = [];
    for (let start = 0; start < STARTS; start += 1) {
      let service: RunningService;
      ready.push(await time(async () => (service = await host.serve())));
      listening.push(Number(/"startedMs":(\d+)/.exec(service!.log)![1]));
      await service!.stop();
    }
    print('service.listening.median', figures(listening).median, 'ms');
    print('service.ready.median', figures(ready).median, 'ms');

    // Vetoes would be told at length; what is asked here is what a long record leaves in memory.
    const service = await host.serve({ WARDEN_HOOK_FAILURE: 'open' });
    try {
      await sleep(REST_MS);
      print('service.rss.at-rest', await residentMegabytes(service), 'MB');
      const took = await time(() => decideMany(join(host.directory, 'hook.sock')));
      await sleep(REST_MS);
      print(`service.rss.after-${DECISIONS}-decisions`, await residentMegabytes(service), 'MB');
      remark(
        `${DECISIONS} decisions took ${Math.round(took / 1_000)} s; of the entries: ${await recorded(service)}`,
      );
    } finally {
      await service.stop();
    }
  } finally {
    await host.stop();
  }
}

/** Lets the hook ask about one domain after the other, each another one, by several callers. */
async function decideMany(socketPath: string): Promise<void> {
  const agent = new Agent({ maxSockets: CALLERS });
  let next = 0;
  const ask = async () => {
    while (next < DECISIONS) {
      const number = next++;
      const asked = request({ agent, socketPath, method: 'POST', path: '/prepare' });
      asked.end(nodeDomain(`guest-${number}`, number));
      const [answer] = (await once(asked, 'response')) as [IncomingMessage];
      answer.resume();
      await once(answer, 'end');
      if (answer.statusCode !== 200) throw new Error(`the hook's endpoint answered ${answer.statusCode}`);
    }
  };
  await Promise.all(Array.from({ length: CALLERS }, ask));
}

/** The store's entries that were lost or still wait: were there many, the memory would be another. */
async function recorded(service: RunningService): Promise<string> {
  const lost = await metric(service, 'vfio_warden_store_lost_entries');
  const pending = await metric(service, 'vfio_warden_store_pending_entries');
  return `${lost} lost, ${pending} not yet written`;
}

/** What the kernel says of the process. */
async function residentMegabytes(service: RunningService): Promise<number> {
  return (await metric(service, 'process_resident_memory_bytes')) / 1e6;
}

async function metric(service: RunningService, name: string): Promise<number> {
  const { body } = await service.api<string>('/metrics');
  return Number(new RegExp(`^${name} (\\S+)$`, 'm').exec(body)![1]);
}
