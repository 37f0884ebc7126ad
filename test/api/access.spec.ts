import { execFileSync } from 'node:child_process';
import { chmod, lstat, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { request as httpRequest } from 'node:http';
import { connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import request from 'supertest';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { generateToken, hashToken } from '../../src/api/access/token.js';
import { TokensFile } from '../../src/api/access/tokens-file.js';
import { startService, type TestService } from './service.js';

const READER = generateToken();
const OPERATOR = generateToken();
const EXPIRED = generateToken();
const WEBHOOK = generateToken();

function line(name: string, role: string, token: string, expires?: string): string {
  const until = expires === undefined ? '' : `, expires: ${expires}`;
  return `  - { name: ${name}, role: ${role}, sha256: ${hashToken(token)}${until} }\n`;
}

describe('access to the API', () => {
  let directory: string;
  let tokensFile: string;
  let tokens: TokensFile;
  let service: TestService;
  let problems: string[];

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'access-'));
    tokensFile = join(directory, 'tokens.yaml');
    problems = [];
    await writeFile(
      tokensFile,
      `tokens:\n${line('prometheus', 'read', READER)}${line('night-shift', 'operate', OPERATOR, '2099-01-01')}${line('webhook', 'sync', WEBHOOK)}` +
        line('old', 'operate', EXPIRED, '2026-01-31'),
    );
    tokens = await TokensFile.open(tokensFile, ({ message }) => problems.push(message));
    service = await startService({ tokens });
  });
  afterAll(async () => {
    await service.close();
    tokens.close();
    await rm(directory, { recursive: true });
  });

  const bearer = (token: string) => `Bearer ${token}`;

  describe('over the unix socket', () => {
    const socketOf = () => join(service.directory, 'api.sock');

    it('is what the mode of the socket says: 0660, and whoever opens it may do everything', async () => {
      expect((await stat(socketOf())).mode & 0o777).toBe(0o660);
      await service.api.get('/v1/policies').expect(200);
      await service.api.put('/v1/host/mode').send({ mode: 'enforce' }).expect(200);
    });

    it('can be given to a group, by name or number', async () => {
      const path = join(directory, 'group.sock');
      const listener = await service.listen({ listen: `unix:${path}`, apiSocketGroup: 'daemon' });
      const daemon = Number(execFileSync('getent', ['group', 'daemon'], { encoding: 'utf8' }).split(':')[2]);
      expect(await stat(path)).toMatchObject({ gid: daemon });
      await listener.close(100);
      await expect(
        service.listen({ listen: `unix:${path}`, apiSocketGroup: 'nobody-has-this' }),
      ).rejects.toThrow(/nobody-has-this: there is no such group/);
    });

    it('begins anew where an earlier run left its socket, and spares what is somebody else’s', async () => {
      const path = join(directory, 'left.sock');
      execFileSync('python3', [
        '-c',
        'import socket,sys; socket.socket(socket.AF_UNIX).bind(sys.argv[1])',
        path,
      ]);
      expect((await lstat(path)).isSocket()).toBe(true);
      await service.listen({ listen: `unix:${path}` });
      await expect(service.listen({ listen: `unix:${path}` })).rejects.toThrow(
        /another process listens there/,
      );

      const file = join(directory, 'notes');
      await writeFile(file, 'mine');
      await expect(service.listen({ listen: `unix:${file}` })).rejects.toThrow(/no socket/);
      expect(await readFile(file, 'utf8')).toBe('mine');
    });
  });

  describe('over TCP', () => {
    let url: string;
    beforeAll(async () => {
      url = (await service.listen({ listen: '127.0.0.1:0' })).address;
    });

    it.each([
      ['no token', undefined],
      ['an unknown token', bearer(generateToken())],
      ['a token that has expired', bearer(EXPIRED)],
      ['its hash', bearer(hashToken(OPERATOR))],
      ['another scheme', `Basic ${OPERATOR}`],
      ['a token without end', bearer('a'.repeat(8000))],
    ])('is refused with %s, on every path', async (_, authorization) => {
      for (const path of ['/v1/host', '/healthz', '/metrics', '/openapi-json', '/nothing']) {
        const call = request(url).get(path);
        if (authorization !== undefined) call.set('authorization', authorization);
        const { body, headers } = await call.expect(401).expect('content-type', 'application/problem+json');
        expect(headers['www-authenticate']).toMatch(/^Bearer realm="vfio-warden"/);
        expect(body).toMatchObject({ status: 401, title: 'Unauthorized' });
      }
    });

    it('is refused before a body is read', async () => {
      const { port } = new URL(url);
      const status = await new Promise((resolve, reject) => {
        const sent = httpRequest({
          port,
          path: '/v1/evaluate',
          method: 'POST',
          headers: { 'content-length': 8_000_000 },
        });
        sent.on('response', (response) => resolve(response.statusCode)).on('error', reject);
        sent.write('{');
      });
      expect(status).toBe(401);
    });

    it('lets the role read ask, and dry-run, but not change', async () => {
      await request(url).get('/v1/host').set('authorization', bearer(READER)).expect(200);
      await request(url).get('/metrics').set('authorization', bearer(READER)).expect(200);
      await request(url)
        .post('/v1/evaluate')
        .set('authorization', bearer(READER))
        .send({ xml: '<domain><name>a</name></domain>' })
        .expect(200);
      const { body } = await request(url)
        .put('/v1/host/mode')
        .set('authorization', bearer(READER))
        .send({ mode: 'off' })
        .expect(403);
      expect(body).toMatchObject({ status: 403, detail: 'this needs the role operate' });
      expect(service.parts.hostSwitch.mode).toBe('enforce');
    });

    it('lets the role operate change, and records who did', async () => {
      await request(url)
        .put('/v1/host/mode')
        .set('authorization', bearer(OPERATOR))
        .send({ mode: 'enforce', reason: 'drill' })
        .expect(200);
      await service.journal.flush(1000);
      const { body } = await service.api.get('/v1/events?kind=mode-changed&limit=1').expect(200);
      expect(body.items).toMatchObject([{ actor: 'token:night-shift', detail: 'enforce -> enforce: drill' }]);
    });

    it('lets a webhook say that there are new policies, and nothing else', async () => {
      const sync = vi.spyOn(service.parts.policyControl, 'sync');
      sync.mockResolvedValue({ result: 'unchanged', detail: 'the source has nothing new' });
      const post = (token: string) =>
        request(url).post('/v1/policies/sync').set('authorization', bearer(token));
      await post(generateToken()).expect(401);
      const { body } = await post(READER).expect(403);
      expect(body).toMatchObject({ detail: 'this needs the role sync' });
      expect(sync).not.toHaveBeenCalled();
      await post(WEBHOOK).expect(200);
      await post(OPERATOR).expect(200);
      expect(sync).toHaveBeenCalledTimes(2);
      sync.mockRestore();
      for (const path of ['/v1/policies', '/v1/policies/status', '/v1/host', '/metrics']) {
        await request(url).get(path).set('authorization', bearer(WEBHOOK)).expect(403);
      }
      const revision = { revision: 'previous' };
      await request(url)
        .put('/v1/policies/pin')
        .set('authorization', bearer(WEBHOOK))
        .send(revision)
        .expect(403);
    });

    it('answers what is no HTTP as a problem, too', async () => {
      const { port } = new URL(url);
      const answer = await new Promise<string>((resolve) => {
        const socket = connect(Number(port), '127.0.0.1', () => socket.write('nonsense\r\n\r\n'));
        let text = '';
        socket.on('data', (chunk) => (text += String(chunk))).on('close', () => resolve(text));
      });
      expect(answer).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n[^]*application\/problem\+json[^]*"status":400/);
    });

    it('is not offered where the port is taken, nor beyond this host without TLS', async () => {
      await expect(service.listen({ listen: new URL(url).host })).rejects.toThrow(/EADDRINUSE/);
      await expect(service.listen({ listen: '0.0.0.0:0' })).rejects.toThrow(/in the clear/);
      await expect(service.listen({ listen: '[::]:0' })).rejects.toThrow(/in the clear/);
      await expect(service.listen({ listen: 'localhost:8080' })).rejects.toThrow(/cannot listen there/);
    });
  });

  it('goes beyond this host by TLS, with a token', async () => {
    const [tlsKey, tlsCertificate] = [join(directory, 'key.pem'), join(directory, 'cert.pem')];
    const selfSigned =
      '-x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 1 -subj /CN=node-1'.split(' ');
    const names = ['-addext', 'subjectAltName=IP:127.0.0.1', '-keyout', tlsKey, '-out', tlsCertificate];
    execFileSync('openssl', ['req', ...selfSigned, ...names], { stdio: 'ignore' });
    const { address } = await service.listen({ listen: '0.0.0.0:0', tlsKey, tlsCertificate });
    const url = address.replace('0.0.0.0', '127.0.0.1');
    const ca = await readFile(tlsCertificate);
    expect(url).toMatch(/^https:/);
    await request(url).get('/v1/host').ca(ca).expect(401);
    await request(url).get('/v1/host').ca(ca).set('authorization', bearer(READER)).expect(200);
    await expect(request(url.replace('https', 'http')).get('/v1/host')).rejects.toThrow();
    await expect(service.listen({ listen: '0.0.0.0:0', tlsKey: '/none', tlsCertificate })).rejects.toThrow(
      /\/none: it cannot be read \(ENOENT\)/,
    );
  });

  it('follows the tokens file, and keeps the tokens while the file is broken', async () => {
    const added = generateToken();
    expect(tokens.callerOf(added)).toBeUndefined();
    const more = `${await readFile(tokensFile, 'utf8')}${line('added', 'read', added)}`;
    await writeFile(tokensFile, more);
    await vi.waitFor(
      () => expect(tokens.callerOf(added)).toEqual({ actor: 'token:added', role: 'read' }),
      1500,
    );

    await writeFile(tokensFile, `${more}  - { name: x, role: root, sha256: 00 }\n`);
    await vi.waitFor(() => expect(problems.join()).toMatch(/tokens\.yaml:7:\d+: tokens\[5\]\.role/), 1500);
    expect(tokens.callerOf(added)).toBeDefined();

    await writeFile(tokensFile, `tokens:\n${line('prometheus', 'read', READER)}`);
    await vi.waitFor(() => expect(tokens.callerOf(added)).toBeUndefined(), 1500);
  });

  it('does not begin with a tokens file that is broken, missing, or open to all', async () => {
    const file = join(directory, 'other.yaml');
    const openFile = () => TokensFile.open(file, () => undefined);
    await expect(openFile()).rejects.toThrow(/does not exist/);
    await writeFile(file, `tokens:\n${line('a', 'read', READER)}${line('a', 'operate', OPERATOR)}`);
    await expect(openFile()).rejects.toThrow(/Give each token its own name/);
    await writeFile(file, `tokens:\n${line('a', 'read', READER)}`);
    await chmod(file, 0o666);
    await expect(openFile()).rejects.toThrow(/everybody may write to it/);
  });
});
