import { createConnection, createServer, type Server, type Socket } from 'node:net';
import { listenOnUnixSocket } from '../../host/unix-socket.js';
import type { CallJudge } from './call-judge.js';
import { ProxySession, type SessionObserver } from './proxy-session.js';

/** Libvirt's own default (`max_clients` of libvirtd.conf). */
const MAX_SESSIONS = 5_000;
/** Control planes connect in hundreds at once. */
const BACKLOG = 512;

/** Who may connect: libvirt sees our credentials, not the client's, so mode and group are the access control. */
export interface SocketAccess {
  path: string;
  /** Permission bits, 0660 at most. */
  mode: number;
  group?: string;
}

export interface ProxyEndpoint {
  /** Where clients come in: a socket of our own, or one that systemd has opened. */
  listen: SocketAccess | { descriptor: number };
  /** Where libvirt listens now; asked at each connection. */
  upstream: () => string;
  /** Absent for libvirt's read-only socket. */
  judge?: CallJudge;
}

/** A socket that any libvirt client uses instead of libvirt's own. */
export class ProxyServer {
  private readonly server: Server;
  private readonly sessions = new Set<ProxySession>();

  constructor(
    private readonly endpoint: ProxyEndpoint,
    private readonly observer: SessionObserver,
    private readonly warn: (message: string) => void,
  ) {
    this.server = createServer((client) => this.accept(client));
    this.server.maxConnections = MAX_SESSIONS;
  }

  get clients(): number {
    return this.sessions.size;
  }

  async start(): Promise<void> {
    const { listen } = this.endpoint;
    if ('path' in listen) {
      await listenOnUnixSocket(this.server, listen.path, listen.group, listen.mode);
    } else {
      await new Promise<void>((resolve, reject) => {
        this.server.once('error', reject);
        this.server.listen({ fd: listen.descriptor, backlog: BACKLOG }, resolve);
      });
    }
    this.server.on('error', (error) => this.warn(`the proxy cannot take a connection: ${error.message}`));
  }

  /** Takes no more clients and no more calls, and hangs up on each client once its calls are answered. */
  async stop(graceMs: number): Promise<void> {
    this.server.close();
    for (const session of this.sessions) session.drain();
    const deadline = Date.now() + graceMs;
    while (this.sessions.size > 0 && Date.now() < deadline) {
      await new Promise((resolve) => setTimeout(resolve, 20));
    }
    for (const session of this.sessions) session.end();
  }

  private accept(client: Socket): void {
    const upstream = this.connect(client);
    if (!upstream) return;
    const session = new ProxySession(client, upstream, this.endpoint.judge, this.observer, () =>
      this.sessions.delete(session),
    );
    this.sessions.add(session);
  }

  private connect(client: Socket): Socket | undefined {
    try {
      return createConnection(this.endpoint.upstream()).on('error', (error) =>
        this.warn(`libvirt does not answer: ${error.message}`),
      );
    } catch (error) {
      this.warn(error instanceof Error ? error.message : String(error));
      client.destroy();
      return undefined;
    }
  }
}
