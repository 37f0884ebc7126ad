import { spawnSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { LibvirtClient, type DomainRef } from '../../src/libvirt/rpc/libvirt-client.js';
import { GuardedHost } from '../end-to-end/guarded-host.js';
import { guestWith, isRestricted, NVME } from '../end-to-end/guests.js';
import { FixtureHost } from '../fixtures/host/fixture-host.js';
import { figures, interleave, print, time, type Timed } from './figures.js';

const STARTS = { rounds: 60, warmUp: 5 };
const CALLS = { rounds: 150, warmUp: 10 };

/** What libvirt runs its hook for while a domain starts. */
const OPERATIONS = ['prepare', 'start', 'started'];

/** `VIR_DOMAIN_XML_INACTIVE` */
const INACTIVE = 2;

/** What a hook adds to the start of a domain with an assigned device: none, one that does nothing, and ours. */
export async function benchHook(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'warden-bench-'));
  const empty = join(directory, 'empty-hook');
  writeFileSync(empty, '#!/bin/sh\n');
  chmodSync(empty, 0o755);
  const hosts: { stop(): Promise<unknown> }[] = [];
  const kept = async <T extends { stop(): Promise<unknown> }>(host: Promise<T>): Promise<T> => {
    hosts.push(await host);
    return host;
  };
  try {
    const guarded = await kept(GuardedHost.start());
    const service = await kept(guarded.serve());
    const xml = await protectedDomain(service.socket, guarded.libvirt.socket);
    const none = await kept(FixtureHost.start());
    const withEmpty = await kept(FixtureHost.start({ hook: empty }));
    await compareStarts({ none: none.socket, empty: withEmpty.socket, ours: guarded.libvirt.socket }, xml);
    await compareCalls({ empty, ours: join(guarded.directory, 'hook') }, xml);
  } finally {
    for (const host of hosts.toReversed()) await host.stop();
    rmSync(directory, { recursive: true, force: true });
  }
}

/** A domain as it is after it was defined through the proxy: our hook lets it start. */
async function protectedDomain(proxy: string, libvirt: string): Promise<string> {
  const client = await LibvirtClient.connect({ path: proxy });
  await client.defineDomain(guestWith(NVME));
  await client.close();
  const direct = await LibvirtClient.connect({ path: libvirt });
  const xml = await direct.domainXml(await direct.domainByName('vm'), INACTIVE);
  await direct.close();
  if (!isRestricted(xml)) throw new Error('no decision was made in the way of the proxy');
  return xml;
}

async function compareStarts(sockets: Record<'none' | 'empty' | 'ours', string>, xml: string): Promise<void> {
  const clients: LibvirtClient[] = [];
  const starting = async (path: string): Promise<Timed> => {
    const client = await LibvirtClient.connect({ path });
    clients.push(client);
    const domain = await client.defineDomain(xml);
    return async () => {
      let running: DomainRef;
      const ms = await time(async () => (running = await client.startDomain(domain)));
      await client.destroyDomain(running!);
      return ms;
    };
  };
  try {
    const samples = await interleave(
      {
        none: await starting(sockets.none),
        empty: await starting(sockets.empty),
        ours: await starting(sockets.ours),
      },
      STARTS,
    );
    const [none, empty, ours] = [samples.none, samples.empty, samples.ours].map((ms) => figures(ms).median);
    print('vm-start.median.hook-none', none!, 'ms');
    print('vm-start.median.hook-empty', empty!, 'ms');
    print('vm-start.median.hook-ours', ours!, 'ms');
    print('vm-start.median.hook-ours', ours! / none!, 'ratio', 'vm-start.median.hook-none');
    print('vm-start.median.hook-ours', ours! / empty!, 'ratio', 'vm-start.median.hook-empty');
    // What each hook adds by itself; a small difference of large figures, so mind the load.
    print('hook-cost.median.empty', empty! - none!, 'ms');
    print('hook-cost.median.ours', ours! - none!, 'ms');
    print('hook-cost.median.ours', (ours! - none!) / (empty! - none!), 'ratio', 'hook-cost.median.empty');
  } finally {
    for (const client of clients) await client.close();
  }
}

/** The hooks alone, as often as libvirt runs them for a start: what the start of QEMU would drown. */
async function compareCalls(hooks: Record<'empty' | 'ours', string>, xml: string): Promise<void> {
  const calling = (hook: string): Timed => {
    return () => time(async () => OPERATIONS.forEach((operation) => call(hook, operation, xml)));
  };
  const samples = await interleave({ empty: calling(hooks.empty), ours: calling(hooks.ours) }, CALLS);
  const [empty, ours] = [figures(samples.empty).median, figures(samples.ours).median];
  print('hook-calls.median.empty', empty, 'ms');
  print('hook-calls.median.ours', ours, 'ms');
  print('hook-calls.median.ours', ours / empty, 'ratio', 'hook-calls.median.empty');
}

function call(hook: string, operation: string, xml: string): void {
  const { status, stderr } = spawnSync(hook, ['vm', operation, 'begin', '-'], {
    input: xml,
    encoding: 'utf8',
  });
  if (status !== 0) throw new Error(`${hook} ${operation}: ${stderr}`);
}
