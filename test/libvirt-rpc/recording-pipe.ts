import { once } from 'node:events';
import { createConnection, createServer, type Server, type Socket } from 'node:net';

/** What one connection has said, in both directions. */
export interface Recording {
  toLibvirt: Buffer[];
  fromLibvirt: Buffer[];
}

/** Stands between clients and a daemon and writes down what they say; changes nothing. */
export class RecordingPipe {
  readonly recordings: Recording[] = [];
  private readonly sockets = new Set<Socket>();

  private constructor(private readonly server: Server) {}

  static async between(path: string, daemon: string): Promise<RecordingPipe> {
    const server = createServer({ allowHalfOpen: true });
    const pipe = new RecordingPipe(server);
    server.on('connection', (client) =>
      pipe.serve(client, createConnection({ path: daemon, allowHalfOpen: true })),
    );
    server.listen(path);
    await once(server, 'listening');
    return pipe;
  }

  async close(): Promise<void> {
    for (const socket of this.sockets) socket.destroy();
    this.server.close();
  }

  private serve(client: Socket, libvirt: Socket): void {
    const recording: Recording = { toLibvirt: [], fromLibvirt: [] };
    this.recordings.push(recording);
    client.on('data', (chunk: Buffer) => recording.toLibvirt.push(chunk));
    libvirt.on('data', (chunk: Buffer) => recording.fromLibvirt.push(chunk));
    client.pipe(libvirt);
    libvirt.pipe(client);
    for (const socket of [client, libvirt]) {
      this.sockets.add(socket);
      socket.on('error', () => socket.destroy());
      socket.on('close', () => this.sockets.delete(socket));
    }
  }
}
