import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Server, type Socket } from 'node:net';

/** What becomes of a connection once so many bytes of the server's have passed. */
export type Trouble = 'stalls' | 'vanishes' | 'sends garbage';

/** Stands between a client and a server on 127.0.0.1, and does what networks and hosts do. */
export class Relay {
  /** Bytes of the server's that pass on each connection before the trouble begins. */
  passes = Infinity;
  trouble: Trouble = 'stalls';
  private readonly sockets = new Set<Socket>();

  private constructor(
    private readonly server: Server,
    private readonly target: number,
  ) {
    server.on('connection', (client) => this.join(client));
  }

  static async start(target: number): Promise<Relay> {
    const server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    return new Relay(server, target);
  }

  /** The address of a server as it is to be had through here. */
  urlOf(url: string): string {
    return url.replace(/(?<=127\.0\.0\.1:)\d+/, String((this.server.address() as AddressInfo).port));
  }

  /** Ends all connections. */
  drop(): void {
    for (const socket of this.sockets) socket.destroy();
  }

  async stop(): Promise<void> {
    this.drop();
    this.server.close();
    await once(this.server, 'close');
  }

  private join(client: Socket): void {
    const server = connect(this.target, '127.0.0.1');
    const both = [client, server];
    for (const socket of both) {
      this.sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        this.sockets.delete(socket);
        for (const other of both) other.destroy();
      });
    }
    client.pipe(server);
    let left = this.passes;
    server.on('data', (part: Buffer) => {
      client.write(part.subarray(0, left));
      left -= part.length;
      if (left > 0) return;
      server.pause();
      if (this.trouble === 'vanishes') client.resetAndDestroy();
      if (this.trouble === 'sends garbage') client.write(randomBytes(100_000));
    });
  }
}

/** The port in a server's address. */
export function portOf(url: string): number {
  return Number(/127\.0\.0\.1:(\d+)/.exec(url)![1]);
}
