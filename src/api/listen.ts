import { Logger } from '@nestjs/common';
import type { NestExpressApplication } from '@nestjs/platform-express';
import { readFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server, type ServerOptions } from 'node:http';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo, Socket } from 'node:net';
import { isIPv4 } from 'node:net';
import { LocatedError } from '../located-error.js';
import { introduce, UNIX_CALLER } from './access/caller.js';
import { problem, PROBLEM_TYPE } from './problem-details.js';
import { listenOnUnixSocket } from '../host/unix-socket.js';

/** Where the API listens; the fields of `Settings` that say so. */
export interface ListenSettings {
  /** `unix:PATH`, or `ADDRESS:PORT`; port 0 takes any that is free. */
  listen: string;
  apiSocketGroup?: string;
  /** PEM files. */
  tlsCertificate?: string;
  tlsKey?: string;
}

export interface Listener {
  /** `unix:PATH`, or a URL. */
  readonly address: string;
  /** Takes no new request, and waits for those in flight, but no longer than this; milliseconds. */
  close(withinMs: number): Promise<void>;
}

/** More connections at once are refused. */
const MAX_CONNECTIONS = 256;

/** Milliseconds. A client that sends or reads more slowly is cut off. */
const LIMITS: ServerOptions = {
  headersTimeout: 10_000,
  requestTimeout: 30_000,
  keepAliveTimeout: 10_000,
  connectionsCheckingInterval: 1000,
  maxHeaderSize: 16 * 1024,
};
const IDLE_MS = 60_000;

/**
 * Serves the API on a unix socket, on a loopback address, or elsewhere by TLS. Who comes through the unix socket may do
 * everything; over TCP each request needs a token.
 *
 * @throws LocatedError where it must not or cannot listen there
 */
export async function listen(app: NestExpressApplication, settings: ListenSettings): Promise<Listener> {
  await app.init();
  const handle = app.getHttpAdapter().getInstance() as RequestListener;
  if (settings.listen.startsWith('unix:')) {
    const server = limited(
      createServer(LIMITS, (request, response) => {
        introduce(request, UNIX_CALLER);
        handle(request, response);
      }),
    );
    await listenOnUnixSocket(server, settings.listen.slice('unix:'.length), settings.apiSocketGroup);
    return listenerOf(server, settings.listen);
  }
  const { address, port } = parseAddress(settings.listen);
  const tls = await readTls(settings);
  if (!tls && !isLoopback(address)) {
    throw new LocatedError(
      'tokens would cross the network in the clear',
      settings.listen,
      'Set tlsCertificate and tlsKey, or listen on a loopback address.',
    );
  }
  const server = limited(
    tls
      ? createTlsServer({ ...LIMITS, ...tls, minVersion: 'TLSv1.2' }, handle)
      : createServer(LIMITS, handle),
  );
  await listenOnPort(server, address, port);
  const shown = address.includes(':') ? `[${address}]` : address;
  return listenerOf(server, `http${tls ? 's' : ''}://${shown}:${(server.address() as AddressInfo).port}`);
}

function limited<T extends Server>(server: T): T {
  server.maxConnections = MAX_CONNECTIONS;
  server.setTimeout(IDLE_MS);
  server.on('clientError', answerBrokenRequest);
  return server;
}

/** What is no HTTP gets an answer, too: nothing of ours has seen it. */
function answerBrokenRequest(error: NodeJS.ErrnoException, socket: Socket): void {
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const status =
    error.code === 'HPE_HEADER_OVERFLOW' ? 431 : error.code === 'ERR_HTTP_REQUEST_TIMEOUT' ? 408 : 400;
  const details = problem(status);
  const body = JSON.stringify(details);
  socket.end(
    `HTTP/1.1 ${status} ${details.title}\r\nConnection: close\r\nContent-Type: ${PROBLEM_TYPE}\r\n` +
      `Content-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}

function parseAddress(listen: string): { address: string; port: number } {
  const groups = /^(?:\[(?<v6>[0-9a-f:.]+)\]|(?<v4>[\d.]+)):(?<port>\d{1,5})$/i.exec(listen)?.groups;
  const address = groups?.v6 ?? groups?.v4;
  if (!address || Number(groups!.port) > 65_535) {
    throw new LocatedError(
      'the API cannot listen there',
      listen,
      'Write unix:/PATH, or an address and a port such as 127.0.0.1:8443 or [::1]:8443.',
    );
  }
  return { address, port: Number(groups!.port) };
}

function isLoopback(address: string): boolean {
  return isIPv4(address) ? address.startsWith('127.') : address === '::1';
}

async function readTls({
  tlsCertificate,
  tlsKey,
}: ListenSettings): Promise<{ cert: Buffer; key: Buffer } | undefined> {
  if (tlsCertificate === undefined || tlsKey === undefined) return undefined;
  const read = async (path: string) => {
    try {
      return await readFile(path);
    } catch (error) {
      const { code } = error as NodeJS.ErrnoException;
      throw new LocatedError(`it cannot be read (${code})`, path, 'Check the path and the permissions.');
    }
  };
  const [cert, key] = await Promise.all([read(tlsCertificate), read(tlsKey)]);
  return { cert, key };
}

function listenOnPort(server: Server, address: string, port: number): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) =>
      reject(
        new LocatedError(
          `the API cannot listen there (${error.code})`,
          `${address}:${port}`,
          'Name another port.',
        ),
      ),
    );
    server.listen(port, address, resolve);
  });
}

function listenerOf(server: Server, address: string): Listener {
  // A connection that cannot be accepted is no reason to end.
  server.on('error', (error) => new Logger('api').warn(error.message));
  return {
    address,
    close: (withinMs) =>
      new Promise((resolve) => {
        const timer = setTimeout(() => server.closeAllConnections(), withinMs);
        server.close(() => {
          clearTimeout(timer);
          resolve();
        });
        server.closeIdleConnections();
      }),
  };
}
