import { createConnection, createServer } from 'node:net';
import { CONVENTIONAL_BUS } from './proxied-host.js';
import { ProxyStand } from './proxy-stand.js';

/**
 * The proxy and a plain pipe in front of a libvirt socket, in a process of their own, until standard input ends.
 *
 *   tsx measured-proxy.ts UPSTREAM DIRECTORY PIPE
 */
const [upstream = '', directory = '', pipe = ''] = process.argv.slice(2);
const stand = new ProxyStand({ upstream, directory, policy: CONVENTIONAL_BUS });
await stand.start();
const plain = createServer((client) => {
  const libvirt = createConnection(upstream);
  client.pipe(libvirt).pipe(client);
  for (const socket of [client, libvirt]) socket.on('error', () => socket.destroy());
});
plain.listen(pipe, () => console.log('ready'));
process.stdin.resume().on('end', () => process.exit());
