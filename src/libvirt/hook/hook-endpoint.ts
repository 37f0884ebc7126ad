import { isUtf8 } from 'node:buffer';
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { listenOnUnixSocket } from '../../host/unix-socket.js';
import { HOOK_OPERATIONS, type HookAnswer, type HookCall } from './hook-answer.js';

/** Bytes. libvirt takes documents of up to 4 MiB from its clients, and writes them with more than it was given. */
export const MAX_BODY_BYTES = 8 * 1024 * 1024;

/** Milliseconds. The hook gives up after two seconds; nobody waits for what comes later. */
const REQUEST_MS = 2000;

/** More than the hosts with the most domains start at once. */
const MAX_CONNECTIONS = 512;

/** Whoever answers the calls: `HookService`. */
export interface Judge {
  judge(call: HookCall): HookAnswer;
}

/**
 * Where `hooks/qemu` asks: `POST /prepare`, `/start`, `/migrate` or `/restore` with the domain XML as the body, on a unix
 * socket that root alone may use. 200 lets the domain go on, with the document in the body where there is one; 403 stops
 * it, with the reason in the body. Any other answer leaves it to the hook's own failure mode.
 */
export class HookEndpoint {
  readonly name = 'hook';
  private readonly server: Server;

  constructor(
    private readonly judge: Judge,
    private readonly socketPath: string,
  ) {
    const limits = {
      headersTimeout: REQUEST_MS,
      requestTimeout: REQUEST_MS,
      connectionsCheckingInterval: 1000,
    };
    this.server = createServer(limits, (request, response) => {
      // An answer that cannot be delivered concerns the caller only, who has gone.
      void this.answer(request, response).catch(() => response.destroy());
    });
    this.server.maxConnections = MAX_CONNECTIONS;
  }

  /** @throws LocatedError where the socket is another process's, or something else is at its path */
  async start(): Promise<void> {
    await listenOnUnixSocket(this.server, this.socketPath, undefined, 0o600);
  }

  /** Answers the calls that have come in, then closes. */
  async stop(): Promise<void> {
    await new Promise<void>((resolve, reject) => {
      this.server.close((error) => (error ? reject(error) : resolve()));
      this.server.closeIdleConnections();
    });
  }

  private async answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const operation = HOOK_OPERATIONS.find((name) => request.url === `/${name}`);
    if (operation === undefined) return send(response, 404, 'no such operation\n');
    if (request.method !== 'POST') return send(response, 405, 'POST the domain XML\n');
    const body = await bodyOf(request);
    if (body === undefined) return send(response, 413, `more than ${MAX_BODY_BYTES} bytes\n`);
    if (!isUtf8(body)) return send(response, 400, 'not UTF-8\n');
    const xml = body.toString('utf8');
    const answer = this.judge.judge({ operation, xml });
    switch (answer.action) {
      case 'proceed':
        return send(response, 200, '');
      case 'replace':
        return send(response, 200, answer.xml);
      case 'veto':
        return send(response, 403, answer.reason);
    }
  }
}

/** The body; undefined where it is too large. */
async function bodyOf(request: IncomingMessage): Promise<Buffer | undefined> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) return undefined;
    chunks.push(chunk);
  }
  return Buffer.concat(chunks);
}

function send(response: ServerResponse, status: number, body: string): void {
  // One call a connection: the hook is a new process each time.
  response.writeHead(status, { 'content-length': Buffer.byteLength(body), connection: 'close' }).end(body);
}
