import type { Logger } from 'pino';
import type { Component } from '../api/components.js';
import type { Settings } from '../config/settings.js';
import type { CallJudge } from '../libvirt/proxy/call-judge.js';
import { ProxyServer, type ProxyEndpoint } from '../libvirt/proxy/proxy-server.js';
import type { SessionObserver } from '../libvirt/proxy/proxy-session.js';
import { STOP_MS, type Part } from './lifecycle.js';
import { activatedSockets } from './socket-activation.js';
import { upstreamSocket } from './upstream-socket.js';

/** Names of the socket units, as systemd tells them. */
const UNIT = 'vfio-warden-proxy.socket';
const READ_ONLY_UNIT = 'vfio-warden-proxy-ro.socket';

/** The proxy's two sockets. */
export class ProxyPart implements Part {
  readonly name = 'proxy';
  private readonly servers: readonly ProxyServer[];
  private listening = false;

  constructor(settings: Settings, judge: CallJudge, observer: SessionObserver, logger: Logger) {
    const { libvirtSocket, libvirtReadOnlySocket, proxySocket, proxyReadOnlySocket } = settings;
    const own = [proxySocket, proxyReadOnlySocket];
    const activated = activatedSockets(process.env);
    const access = { mode: Number.parseInt(settings.proxySocketMode, 8), group: settings.proxySocketGroup };
    const server = (unit: string, path: string, endpoint: Omit<ProxyEndpoint, 'listen'>) => {
      const [descriptor] = activated.get(unit) ?? [];
      const listen = descriptor === undefined ? { path, ...access } : { descriptor };
      return new ProxyServer({ listen, ...endpoint }, observer, (message) => logger.warn(message));
    };
    this.servers = [
      server(UNIT, proxySocket, { upstream: () => upstreamSocket(libvirtSocket, own), judge }),
      server(READ_ONLY_UNIT, proxyReadOnlySocket, {
        upstream: () => upstreamSocket(libvirtReadOnlySocket, own),
      }),
    ];
  }

  get component(): Component {
    return {
      name: 'proxy',
      critical: true,
      status: () => {
        const clients = this.servers.reduce((sum, server) => sum + server.clients, 0);
        return { state: this.listening ? 'up' : 'down', detail: `${clients} clients` };
      },
    };
  }

  async start(): Promise<void> {
    await Promise.all(this.servers.map((server) => server.start()));
    this.listening = true;
  }

  async stop(): Promise<void> {
    this.listening = false;
    await Promise.all(this.servers.map((server) => server.stop(STOP_MS / 2)));
  }
}
