import { join } from 'node:path';
import { LibvirtClient } from '../../src/libvirt/rpc/libvirt-client.js';
import { GuardedHost } from '../end-to-end/guarded-host.js';
import { isRestricted } from '../end-to-end/guests.js';
import { nodeDomain } from './assigned-domain.js';
import { figures, interleave, print, time, type Timed } from './figures.js';
import { PlainPipe } from './plain-pipe.js';

const WAYS = ['direct', 'pipe', 'proxy'] as const;
type Way = (typeof WAYS)[number];

const READS = { rounds: 4_000, warmUp: 1_000 };
const DEFINES = { rounds: 1_000, warmUp: 300 };
const OPENS = { rounds: 1_000, warmUp: 200 };

/** `VIR_DOMAIN_XML_INACTIVE` */
const INACTIVE = 2;

/** What a client waits for: at libvirt's own socket, behind a process that only passes bytes, and behind the service. */
export async function benchProxy(): Promise<void> {
  const host = await GuardedHost.start();
  try {
    // What goes around the proxy is to stay as it was defined, or the service would work beside the measurement.
    const service = await host.serve({ WARDEN_RECONCILE: 'false' });
    try {
      const pipe = await PlainPipe.start(join(host.directory, 'pipe'), host.libvirt.socket);
      try {
        await measure({ direct: host.libvirt.socket, pipe: pipe.socket, proxy: service.socket });
      } finally {
        await pipe.stop();
      }
    } finally {
      await service.stop();
    }
  } finally {
    await host.stop();
  }
}

async function measure(sockets: Record<Way, string>): Promise<void> {
  const clients = await eachWay((way) => LibvirtClient.connect({ path: sockets[way], keepalive: false }));
  try {
    const domains = await eachWay((way) => clients[way].defineDomain(domainOf(way)));
    const xml = await clients.direct.domainXml(domains.proxy, INACTIVE);
    if (!isRestricted(xml)) throw new Error('no decision was made in the way of the proxy');
    const read = domains.proxy;
    await compare('getXMLDesc', READS, (way) => () => time(() => clients[way].domainXml(read, INACTIVE)));
    await compare('defineXML', DEFINES, (way) => {
      const document = domainOf(way);
      return () => time(() => clients[way].defineDomain(document));
    });
  } finally {
    for (const way of WAYS) await clients[way].close();
  }
  await compare('open', OPENS, (way) => async () => {
    let client: LibvirtClient | undefined;
    const ms = await time(async () => (client = await LibvirtClient.connect({ path: sockets[way] })));
    await client!.close();
    return ms;
  });
}

function domainOf(way: Way): string {
  return nodeDomain(`guest-${way}`, WAYS.indexOf(way));
}

async function compare(
  call: string,
  count: { rounds: number; warmUp: number },
  candidate: (way: Way) => Timed,
): Promise<void> {
  const samples = await interleave(
    { direct: candidate('direct'), pipe: candidate('pipe'), proxy: candidate('proxy') },
    count,
  );
  for (const figure of ['median', 'p99'] as const) {
    const of = (way: Way) => figures(samples[way])[figure];
    for (const way of WAYS) print(`${call}.${figure}.${way}`, of(way), 'ms');
    for (const baseline of ['direct', 'pipe'] as const) {
      print(`${call}.${figure}.proxy`, of('proxy') / of(baseline), 'ratio', `${call}.${figure}.${baseline}`);
    }
  }
}

async function eachWay<T>(make: (way: Way) => Promise<T>): Promise<Record<Way, T>> {
  const [direct, pipe, proxy] = await Promise.all(WAYS.map(make));
  return { direct: direct!, pipe: pipe!, proxy: proxy! };
}
