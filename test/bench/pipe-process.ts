import { createConnection, createServer } from 'node:net';

/**
 * A plain pipe: what a proxy in Node that looks at nothing costs.
 *   pipe-process.ts LISTEN_PATH TARGET_PATH
 * Tells its parent when it listens, and ends with it.
 */
const [listenPath, targetPath] = process.argv.slice(2);

createServer((client) => {
  const target = createConnection(targetPath!);
  client.pipe(target).pipe(client);
  client.on('error', () => target.destroy());
  target.on('error', () => client.destroy());
}).listen(listenPath, () => process.send!('listening'));
process.on('disconnect', () => process.exit());
