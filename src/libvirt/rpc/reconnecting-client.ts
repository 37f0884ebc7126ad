import { setTimeout as delay } from 'node:timers/promises';
import { LibvirtClient, type LibvirtClientOptions } from './libvirt-client.js';

const FIRST_DELAY_MS = 200;
const LAST_DELAY_MS = 10_000;

export interface ConnectionListeners {
  /** There is a connection; `current()` is this client. */
  onConnected(client: LibvirtClient): void;
  /** There is none, for this reason; told once, when it is lost or could not be had at first. */
  onDisconnected(error: Error): void;
}

/**
 * Keeps one connection to libvirt. While there is none it tries again, after 0.2 s at first, up to 10 s later on, each less a
 * random part, so that the clients of a restarted daemon do not all come at once.
 */
export class ReconnectingClient {
  private client: LibvirtClient | undefined;
  private readonly stopping = new AbortController();
  private readonly ended: Promise<void>;

  constructor(
    private readonly options: LibvirtClientOptions,
    private readonly listeners: ConnectionListeners,
  ) {
    this.ended = this.run();
  }

  /** Undefined while there is no connection. */
  current(): LibvirtClient | undefined {
    return this.client;
  }

  /** Closes the connection and makes no other. Tells nobody: whoever stops it knows. */
  async stop(): Promise<void> {
    this.stopping.abort();
    await this.ended;
  }

  private async run(): Promise<void> {
    let failures = 0;
    let told = false;
    while (!this.stopping.signal.aborted) {
      const began = performance.now();
      const { error, connected } = await this.connectOnce();
      if (this.stopping.signal.aborted) return;
      if (connected || !told) this.listeners.onDisconnected(error);
      told = true;
      // A daemon that takes a connection only to end it soon is not one that is back.
      failures = connected && performance.now() - began > LAST_DELAY_MS ? 0 : failures + 1;
      await delay(backoffMs(failures), undefined, { signal: this.stopping.signal }).catch(() => {});
    }
  }

  /** From trying to connect until there is no connection any more. */
  private async connectOnce(): Promise<{ error: Error; connected: boolean }> {
    let client: LibvirtClient;
    try {
      client = await LibvirtClient.connect({ ...this.options, signal: this.stopping.signal });
    } catch (error) {
      return { error: error as Error, connected: false };
    }
    this.client = client;
    this.listeners.onConnected(client);
    const reason = await client.closed;
    this.client = undefined;
    return { error: reason ?? new Error('the connection was closed'), connected: true };
  }
}

function backoffMs(failures: number): number {
  const longest = Math.min(LAST_DELAY_MS, FIRST_DELAY_MS * 2 ** Math.max(0, failures - 1));
  return longest * (0.5 + Math.random() / 2);
}
