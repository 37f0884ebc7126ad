import { readFile } from 'node:fs/promises';
import { request as httpRequest, type RequestOptions } from 'node:http';
import { request as httpsRequest } from 'node:https';
import { LocatedError } from '../located-error.js';

export const DEFAULT_SERVER = 'unix:/run/vfio-warden/api.sock';

/** The service answers in milliseconds; a store that is away makes it wait for some seconds. */
const TIMEOUT_MS = 30_000;
/** Some hundred times the largest page that the service sends. */
const MAX_ANSWER_BYTES = 64 * 1024 * 1024;

/** Nothing answered at all, so that what the service would do may be done without it. */
export class ServiceAway extends LocatedError {}

export interface ServiceAddress {
  /** `unix:PATH`, `https://HOST:PORT`, or `http://` with a loopback address. */
  server: string;
  /** File with a bearer token; needed over TCP. */
  tokenFile?: string;
  /** Certificates to trust besides those of the system, PEM. */
  caFile?: string;
}

export type Query = Readonly<Record<string, string | number | boolean | undefined>>;

interface Answer {
  status: number;
  type: string;
  text: string;
}

/** Talks to the REST API of the service. */
export class ServiceClient {
  private constructor(
    private readonly server: string,
    private readonly transport: (options: RequestOptions, body?: string) => Promise<Answer>,
  ) {}

  /** @throws LocatedError where the address or a file is bad; whether anybody answers shows with the first request */
  static async at({ server, tokenFile, caFile }: ServiceAddress): Promise<ServiceClient> {
    const token = tokenFile === undefined ? undefined : (await readNamed(tokenFile)).trim();
    const headers = token === undefined ? {} : { Authorization: `Bearer ${token}` };
    const socketPath = /^unix:(\/.+)$/.exec(server)?.[1];
    if (socketPath !== undefined) {
      return new ServiceClient(server, (options, body) =>
        exchange(
          httpRequest,
          server,
          { ...options, socketPath, headers: { ...options.headers, ...headers } },
          body,
        ),
      );
    }
    const url = parseUrl(server);
    const ca = caFile === undefined ? undefined : await readNamed(caFile);
    const request = url.protocol === 'https:' ? httpsRequest : httpRequest;
    const target = {
      host: url.hostname.replace(/^\[|\]$/g, ''),
      ...(url.port && { port: Number(url.port) }),
      ...(ca && { ca }),
    };
    return new ServiceClient(server, (options, body) =>
      exchange(request, server, { ...options, ...target, headers: { ...options.headers, ...headers } }, body),
    );
  }

  /** @throws ServiceAway, LocatedError with what the service says */
  async get<T>(path: string, query: Query = {}): Promise<T> {
    return this.json(await this.ask('GET', path, query, 'application/json'), path);
  }

  async text(path: string, query: Query = {}): Promise<string> {
    return (await this.ask('GET', path, query, 'text/plain')).text;
  }

  async put<T>(path: string, body: object): Promise<T> {
    return this.json(await this.ask('PUT', path, {}, 'application/json', JSON.stringify(body)), path);
  }

  async post<T>(path: string, body: object = {}): Promise<T> {
    return this.json(await this.ask('POST', path, {}, 'application/json', JSON.stringify(body)), path);
  }

  async delete<T>(path: string): Promise<T> {
    return this.json(await this.ask('DELETE', path, {}, 'application/json'), path);
  }

  /** A list up to `limit` entries, page by page. */
  async list<T>(path: string, query: Query, limit: number): Promise<T[]> {
    const items: T[] = [];
    let cursor: string | undefined;
    do {
      const page: { items: T[]; next?: string } = await this.get(path, {
        ...query,
        limit: Math.min(1000, limit - items.length),
        cursor,
      });
      items.push(...page.items);
      cursor = page.next;
    } while (cursor !== undefined && items.length < limit);
    return items.slice(0, limit);
  }

  private async ask(
    method: string,
    path: string,
    query: Query,
    accept: string,
    body?: string,
  ): Promise<Answer> {
    const given = Object.entries(query).filter(([, value]) => value !== undefined);
    const search = new URLSearchParams(
      given.map(([name, value]): [string, string] => [name, String(value)]),
    ).toString();
    const answer = await this.transport(
      {
        method,
        path: search === '' ? path : `${path}?${search}`,
        headers: {
          // Problems come as their own type whatever is accepted.
          Accept: accept,
          ...(body !== undefined && {
            'Content-Type': 'application/json',
            'Content-Length': Buffer.byteLength(body),
          }),
        },
      },
      body,
    );
    if (answer.status >= 200 && answer.status < 300) return answer;
    throw this.problem(answer, path);
  }

  private json<T>({ text }: Answer, path: string): T {
    try {
      const value: unknown = JSON.parse(text);
      if (typeof value === 'object' && value !== null) return value as T;
    } catch {
      // Told below, as for what is JSON but no object.
    }
    throw new LocatedError(
      'the answer is no JSON object',
      `${this.server}${path}`,
      'Is this vfio-warden’s API?',
    );
  }

  private problem({ status, type, text }: Answer, path: string): LocatedError {
    const details = type.includes('json') ? parseProblem(text) : {};
    return new LocatedError(
      details.detail ?? details.title ?? `the service answers ${status}`,
      details.place ?? `${this.server}${path}`,
      details.remedy ?? remedyFor(status),
    );
  }
}

function exchange(
  request: typeof httpRequest,
  server: string,
  options: RequestOptions,
  body: string | undefined,
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const sent = request(
      { ...options, signal: AbortSignal.timeout(TIMEOUT_MS), agent: false },
      (response) => {
        const chunks: Buffer[] = [];
        let size = 0;
        response.on('data', (chunk: Buffer) => {
          chunks.push(chunk);
          size += chunk.length;
          if (size > MAX_ANSWER_BYTES)
            response.destroy(new Error(`it sends more than ${MAX_ANSWER_BYTES} bytes`));
        });
        response.on('error', (error) => reject(away(server, error)));
        response.on('end', () =>
          resolve({
            status: response.statusCode ?? 0,
            type: response.headers['content-type'] ?? '',
            text: Buffer.concat(chunks).toString('utf8'),
          }),
        );
      },
    );
    sent.on('error', (error) => reject(away(server, error)));
    sent.end(body);
  });
}

function away(server: string, error: NodeJS.ErrnoException): LocatedError {
  if (error.code === 'EACCES') {
    return new LocatedError(
      'its socket may not be opened',
      server,
      'Run as root, or as a member of the group that the setting apiSocketGroup names.',
    );
  }
  const reason =
    error.name === 'TimeoutError' || error.name === 'AbortError'
      ? `no answer within ${TIMEOUT_MS / 1000} s`
      : error.message;
  return new ServiceAway(
    `the service does not answer: ${reason}`,
    server,
    'Start it (systemctl start vfio-warden), or say where it is with --server.',
  );
}

function remedyFor(status: number): string {
  if (status === 401) return 'Name a file with a valid token with --token-file.';
  if (status === 403) return 'Use a token with the role operate.';
  return 'Look at the log of the service.';
}

function parseProblem(text: string): Partial<Record<'detail' | 'title' | 'place' | 'remedy', string>> {
  try {
    const value: unknown = JSON.parse(text);
    if (typeof value !== 'object' || value === null) return {};
    return Object.fromEntries(
      Object.entries(value).filter(([, field]) => typeof field === 'string' && field !== ''),
    );
  } catch {
    return {};
  }
}

function parseUrl(server: string): URL {
  const url = URL.canParse(server) ? new URL(server) : undefined;
  // A token must not cross a network in clear.
  const local = url && /^(127(\.\d+){3}|\[::1\]|localhost)$/.test(url.hostname);
  if (url?.protocol === 'https:' || (url?.protocol === 'http:' && local)) return url;
  throw new LocatedError(
    `${server.slice(0, 100)} is no address of the service`,
    '--server',
    'Write unix:/PATH, https://HOST:PORT, or http://127.0.0.1:PORT.',
  );
}

async function readNamed(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    throw new LocatedError(
      error instanceof Error ? error.message : String(error),
      path,
      'Name a file that can be read.',
    );
  }
}
