import { mkdtemp, rm, stat, writeFile } from 'node:fs/promises';
import { request } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { LocatedError } from '../../located-error.js';
import type { HookAnswer, HookCall } from './hook-answer.js';
import { HookEndpoint, MAX_BODY_BYTES } from './hook-endpoint.js';

let directory: string;
let socketPath: string;
let endpoint: HookEndpoint;
let calls: HookCall[];
let answer: HookAnswer;

beforeEach(async () => {
  directory = await mkdtemp(join(tmpdir(), 'hook-endpoint-'));
  socketPath = join(directory, 'hook.sock');
  calls = [];
  answer = { action: 'proceed' };
  endpoint = endpointAt(socketPath);
  await endpoint.start();
});
afterEach(async () => {
  await endpoint.stop();
  await rm(directory, { recursive: true });
});

function endpointAt(path: string): HookEndpoint {
  const judge = (call: HookCall) => {
    calls.push(call);
    return answer;
  };
  return new HookEndpoint({ judge }, path);
}

function post(
  path: string,
  body: string | Buffer,
  method = 'POST',
): Promise<{ status: number; body: string }> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method, agent: false }, (response) => {
      let text = '';
      response.setEncoding('utf8').on('data', (chunk: string) => (text += chunk));
      response.on('end', () => resolve({ status: response.statusCode!, body: text }));
    });
    sent.on('error', reject).end(body);
  });
}

describe('the endpoint of the hook', () => {
  it('says in HTTP what is to be done', async () => {
    expect(await post('/prepare', '<domain/>')).toEqual({ status: 200, body: '' });
    answer = { action: 'veto', reason: 'because ü' };
    expect(await post('/start', '<domain>ü</domain>')).toEqual({ status: 403, body: 'because ü' });
    answer = { action: 'replace', xml: '<domain>é</domain>' };
    expect(await post('/migrate', '<domain/>')).toEqual({ status: 200, body: '<domain>é</domain>' });
    expect(calls).toEqual([
      { operation: 'prepare', xml: '<domain/>' },
      { operation: 'start', xml: '<domain>ü</domain>' },
      { operation: 'migrate', xml: '<domain/>' },
    ]);
  });

  it('is for root alone', async () => {
    expect((await stat(socketPath)).mode & 0o777).toBe(0o600);
  });

  it('answers fifty calls at once, each with its own', async () => {
    endpoint = await replacedBy({ judge: ({ xml }) => ({ action: 'replace', xml }) });
    const documents = Array.from(
      { length: 50 },
      (_, index) => `<domain>${index}${'x'.repeat(100_000)}</domain>`,
    );
    const answers = await Promise.all(documents.map((xml) => post('/restore', xml)));
    expect(answers.map(({ body }) => body)).toEqual(documents);
  });

  it('judges nothing but what the hook asks', async () => {
    expect((await post('/stopped', 'x')).status).toBe(404);
    expect((await post('/constructor', 'x')).status).toBe(404);
    expect((await post('/prepare', '', 'GET')).status).toBe(405);
    expect((await post('/prepare', Buffer.from([0x3c, 0xff]))).status).toBe(400);
    expect(calls).toEqual([]);
  });

  it('refuses a body without a bound', async () => {
    const outcome = await post('/prepare', Buffer.alloc(MAX_BODY_BYTES + 1)).catch(
      (error: NodeJS.ErrnoException) => error.code,
    );
    // The answer is lost where the caller still writes when the connection ends.
    expect([413, 'EPIPE', 'ECONNRESET']).toContain(typeof outcome === 'object' ? outcome.status : outcome);
    expect(calls).toEqual([]);
    expect((await post('/prepare', '<domain/>')).status).toBe(200);
  });

  it('lives on after a judge that throws, and after callers that vanish', async () => {
    endpoint = await replacedBy({
      judge: () => {
        throw new Error('a bug');
      },
    });
    await expect(post('/prepare', '<domain/>')).rejects.toThrow();
    const half = connect(socketPath);
    await new Promise<void>((resolve) =>
      half.write('POST /prepare HTTP/1.1\r\nhost: x\r\ncontent-length: 9\r\n\r\n<dom', () => resolve()),
    );
    half.destroy();
    expect((await post('/stopped', '')).status).toBe(404);
  });

  it('takes the place of a socket that a crash left, and of nothing else', async () => {
    await expect(endpointAt(socketPath).start()).rejects.toThrow(LocatedError);
    expect((await post('/prepare', '<domain/>')).status).toBe(200);
    const file = join(directory, 'file');
    await writeFile(file, 'precious');
    await expect(endpointAt(file).start()).rejects.toThrow(LocatedError);
  });

  it('removes its socket when it stops', async () => {
    await endpoint.stop();
    await expect(stat(socketPath)).rejects.toThrow('ENOENT');
    await endpoint.start();
  });
});

async function replacedBy(judge: ConstructorParameters<typeof HookEndpoint>[0]): Promise<HookEndpoint> {
  await endpoint.stop();
  const other = new HookEndpoint(judge, socketPath);
  await other.start();
  return other;
}
