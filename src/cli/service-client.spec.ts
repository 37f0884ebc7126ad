import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener, type Server } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LocatedError } from '../located-error.js';
import { ServiceAway, ServiceClient } from './service-client.js';

describe('the client of the REST API', () => {
  let directory: string;
  let socket: string;
  let server: Server | undefined;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'service-client-'));
    socket = join(directory, 'api.sock');
  });
  afterEach(async () => {
    server?.closeAllConnections();
    server?.close();
    server = undefined;
    await rm(directory, { recursive: true, force: true });
  });

  async function serve(listener: RequestListener): Promise<ServiceClient> {
    server = createServer(listener);
    await new Promise<void>((resolve) => server!.listen(socket, resolve));
    return ServiceClient.at({ server: `unix:${socket}` });
  }

  it('follows a list from page to page, up to as many as were asked for', async () => {
    const asked: string[] = [];
    const client = await serve(({ url = '' }, response) => {
      asked.push(url);
      const second = url.includes('cursor=b');
      response.end(JSON.stringify(second ? { items: [3, 4] } : { items: [1, 2], next: 'b' }));
    });
    expect(await client.list('/v1/events', { kind: 'stopped', host: undefined }, 3)).toEqual([1, 2, 3]);
    expect(asked).toEqual(['/v1/events?kind=stopped&limit=3', '/v1/events?kind=stopped&limit=1&cursor=b']);
  });

  it('says what a problem says, with its place and remedy', async () => {
    const client = await serve((_, response) => {
      response.writeHead(404, { 'Content-Type': 'application/problem+json' });
      response.end(
        JSON.stringify({
          title: 'Not Found',
          detail: 'there is no such domain',
          place: 'web',
          remedy: 'List.',
        }),
      );
    });
    const error = await client.get('/v1/domains/web').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(LocatedError);
    expect(error).not.toBeInstanceOf(ServiceAway);
    expect(error).toMatchObject({ problem: 'there is no such domain', place: 'web', remedy: 'List.' });
  });

  it('sends the token, and says what to do where it is refused', async () => {
    const file = join(directory, 'token');
    await writeFile(file, 'vfw_secret\n');
    server = createServer(({ headers }, response) => {
      response.statusCode = headers.authorization === 'Bearer vfw_secret' ? 403 : 401;
      response.end();
    });
    await new Promise<void>((resolve) => server!.listen(0, '127.0.0.1', resolve));
    const { port } = server.address() as { port: number };
    const address = `http://127.0.0.1:${port}`;
    const known = await ServiceClient.at({ server: address, tokenFile: file });
    await expect(known.get('/v1/host')).rejects.toThrow(/answers 403.*role operate/);
    const unknown = await ServiceClient.at({ server: address });
    await expect(unknown.get('/v1/host')).rejects.toThrow(/answers 401.*--token-file/);
  });

  it('tells a service that is away from one that refuses', async () => {
    const client = await ServiceClient.at({ server: `unix:${socket}` });
    const error = await client.get('/v1/host').catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(ServiceAway);
    expect(error).toMatchObject({ place: `unix:${socket}`, remedy: expect.stringMatching(/--server/) });
  });

  it('takes a connection that breaks in the middle of an answer for one that is away', async () => {
    const client = await serve((_, response) => {
      response.writeHead(200, { 'Content-Length': 100 });
      response.write('{"items":', () => response.destroy());
    });
    await expect(client.get('/v1/events')).rejects.toBeInstanceOf(ServiceAway);
  });

  it('reads no more than an answer may have', async () => {
    const client = await serve((_, response) => {
      const block = Buffer.alloc(1024 * 1024, 'x');
      const pour = () => {
        while (!response.destroyed && response.write(block));
      };
      response.on('drain', pour);
      pour();
    });
    await expect(client.text('/v1/host')).rejects.toThrow(/sends more than/);
  });

  it('takes no other answer than JSON where JSON is asked for', async () => {
    const client = await serve((_, response) => response.end('<html>'));
    await expect(client.get('/v1/host')).rejects.toThrow(/no JSON object/);
  });

  it.each(['http://node-1:8080', 'ftp://node-1', 'node-1', 'unix:relative'])(
    'refuses %s as an address: a token must not cross a network in clear',
    async (address) => {
      await expect(ServiceClient.at({ server: address })).rejects.toThrow(/--server: .*https:/);
    },
  );
});
