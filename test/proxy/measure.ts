import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { LibvirtClient } from '../../src/libvirt/rpc/libvirt-client.js';
import { FixtureHost } from '../fixtures/host/fixture-host.js';
import { hostdev } from '../fixtures/scenario.js';
import { domain, NVME } from './domains.js';

/**
 * What the proxy costs: medians in milliseconds at libvirt's socket, through a plain pipe and through the proxy, taken by
 * turns so that the machine's other load meets them alike. Client, proxy and libvirt are three processes.
 */
const ROUNDS = 4;
const UUID = '0d0d3b1e-8d3c-4a8f-9d3c-0b7a1c1d2e3f';
const RUNS = { getXMLDesc: 300, 'defineXML, no device': 150, 'defineXML, a hostdev': 150, open: 40 };

type Way = 'direct' | 'pipe' | 'proxy';
type Figure = keyof typeof RUNS;

function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)]!;
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const startedAt = performance.now();
  await work();
  return performance.now() - startedAt;
}

const host = await FixtureHost.start();
const sockets: Record<Way, string> = {
  direct: host.socket,
  pipe: join(host.directory, 'pipe-sock'),
  proxy: join(host.directory, 'proxy-sock'),
};
const between = spawn(
  process.execPath,
  [
    ...process.execArgv,
    ...(process.env.CPU_PROFILE_DIR ? ['--cpu-prof', `--cpu-prof-dir=${process.env.CPU_PROFILE_DIR}`] : []),
    fileURLToPath(new URL('measured-proxy.ts', import.meta.url)),
    host.socket,
    host.directory,
    sockets.pipe,
  ],
  { stdio: ['pipe', 'pipe', 'inherit'] },
);
try {
  await once(between.stdout, 'data');
  await measure();
} finally {
  between.stdin.end();
  await once(between, 'exit');
  await host.stop();
}

async function measure(): Promise<void> {
  const plain = domain('plain', '');
  const assigned = domain('assigned', hostdev(NVME), { uuid: UUID });
  const times = new Map<string, number[]>();
  const ways = Object.keys(sockets) as Way[];
  const clients = new Map<Way, LibvirtClient>();
  for (const way of ways) clients.set(way, await LibvirtClient.connect({ path: sockets[way] }));
  const direct = clients.get('direct')!;
  const asked = await direct.defineDomain(domain('asked', '<controller type="scsi" model="virtio-scsi"/>'));
  const define = async (way: Way, xml: string) => {
    const client = clients.get(way)!;
    const ref = await client.defineDomain(xml);
    return () => direct.undefineDomain(ref);
  };
  for (let round = 0; round <= ROUNDS; round += 1) {
    for (const figure of Object.keys(RUNS) as Figure[]) {
      for (let run = 0; run < RUNS[figure]; run += 1) {
        for (const way of ways) {
          let after: () => Promise<unknown> = async () => {};
          const taken = await timed(async () => {
            if (figure === 'getXMLDesc') await clients.get(way)!.domainXml(asked);
            else if (figure === 'open') {
              const opened = await LibvirtClient.connect({ path: sockets[way] });
              after = () => opened.close();
            } else after = await define(way, figure.endsWith('no device') ? plain : assigned);
          });
          await after();
          // The first round warms up.
          if (round > 0) times.set(`${figure} ${way}`, [...(times.get(`${figure} ${way}`) ?? []), taken]);
        }
      }
    }
  }
  for (const client of clients.values()) await client.close();
  for (const figure of Object.keys(RUNS)) {
    const [straight, pipe, proxy] = ways.map((way) => median(times.get(`${figure} ${way}`)!));
    const ratio = (a: number, b: number) => (a / b).toFixed(2);
    console.log(
      `${figure}: direct ${straight!.toFixed(3)} pipe ${pipe!.toFixed(3)} proxy ${proxy!.toFixed(3)} ms; ` +
        `proxy/pipe ${ratio(proxy!, pipe!)} proxy/direct ${ratio(proxy!, straight!)}`,
    );
  }
}
