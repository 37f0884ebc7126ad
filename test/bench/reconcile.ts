import { LibvirtClient } from '../../src/libvirt/rpc/libvirt-client.js';
import { GuardedHost } from '../end-to-end/guarded-host.js';
import type { RunningService } from '../end-to-end/running-service.js';
import { nodeDomain } from './assigned-domain.js';
import { print, time } from './figures.js';

const DOMAINS = 1_000;

/**
 * How long the service needs at its start to look at every domain: the first time, when it defines each again with what
 * policy demands, and the next time, when nothing is left to do. Held against a client that only reads or defines them.
 */
export async function benchReconcile(): Promise<void> {
  const host = await GuardedHost.start();
  try {
    const client = await LibvirtClient.connect({ path: host.libvirt.socket });
    const documents = Array.from({ length: DOMAINS }, (_, at) => nodeDomain(`guest-${at}`, at));
    const define = () => time(() => Promise.all(documents.map((xml) => client.defineDomain(xml))));
    const read = () =>
      time(async () => Promise.all((await client.listDomains()).map((domain) => client.domainXml(domain))));
    // The second time, since the service defines domains that are there already.
    await define();
    const defining = await define();
    const reading = await read();
    await client.close();

    const first = await reconciliation(await host.serve());
    const again = await reconciliation(await host.serve());
    print(`define-all.domains-${DOMAINS}`, defining, 'ms');
    print(`read-all.domains-${DOMAINS}`, reading, 'ms');
    print(`reconcile.first.domains-${DOMAINS}`, first, 'ms');
    print(
      `reconcile.first.domains-${DOMAINS}`,
      first / (reading + defining),
      'ratio',
      'read-all and define-all',
    );
    print(`reconcile.again.domains-${DOMAINS}`, again, 'ms');
    print(`reconcile.again.domains-${DOMAINS}`, again / reading, 'ratio', 'read-all');
  } finally {
    await host.stop();
  }
}

/** Milliseconds, by the service's own log; ends the service. */
async function reconciliation(service: RunningService): Promise<number> {
  try {
    const [, domains, ms] = /(\d+) domains reconciled in (\d+) ms/.exec(service.log)!;
    if (Number(domains) !== DOMAINS) throw new Error(`${domains} domains were looked at`);
    return Number(ms);
  } finally {
    await service.stop();
  }
}
