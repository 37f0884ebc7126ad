import { mkdtemp, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import request from 'supertest';
import type { Store } from '../../src/store/store.js';
import { startService, type TestService } from './service.js';

/** A store that answers after a while. */
function slow(store: Store, ms: number): Store {
  return new Proxy(store, {
    get: (target, name: keyof Store) =>
      name === 'decisions'
        ? () => new Promise((resolve) => setTimeout(() => resolve({ items: [] }), ms))
        : target[name].bind(target),
  });
}

describe('the listener', () => {
  let directory: string;
  let service: TestService;

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'listen-'));
  });
  afterEach(async () => {
    await service.close();
    await rm(directory, { recursive: true, force: true });
  });

  const startWith = async (ms: number) => {
    service = await startService();
    const { store } = service.parts;
    await service.close();
    service = await startService({ store: slow(store, ms) });
  };
  const at = (path: string) => request(`http+unix://${encodeURIComponent(path)}`);

  it('finishes the requests in flight when it is closed, and takes its socket away', async () => {
    await startWith(300);
    const path = join(directory, 'a.sock');
    const listener = await service.listen({ listen: `unix:${path}` });
    const answer = at(path).get('/v1/decisions').then();
    await new Promise((resolve) => setTimeout(resolve, 100));
    await listener.close(2000);
    expect((await answer).status).toBe(200);
    await expect(stat(path)).rejects.toThrow(/ENOENT/);
    await expect(at(path).get('/healthz')).rejects.toThrow(/ENOENT/);
  });

  it('does not wait for ever', async () => {
    await startWith(4000);
    const path = join(directory, 'b.sock');
    const listener = await service.listen({ listen: `unix:${path}` });
    const answer = at(path)
      .get('/v1/decisions')
      .then(
        () => 'answered',
        () => 'cut off',
      );
    await new Promise((resolve) => setTimeout(resolve, 100));
    const start = performance.now();
    await listener.close(200);
    expect(performance.now() - start).toBeLessThan(1000);
    expect(await answer).toBe('cut off');
  });

  it('answers 503 where the store is silent', async () => {
    await startWith(60_000);
    const { body } = await service.api.get('/v1/decisions').expect(503);
    expect(body.detail).toBe('the decision store is away');
  }, 10_000);

  it('says why it cannot listen', async () => {
    service = await startService();
    await expect(service.listen({ listen: `unix:/${'a'.repeat(107)}` })).rejects.toThrow(
      /more than 107 bytes/,
    );
    await expect(service.listen({ listen: 'unix:/proc/api.sock' })).rejects.toThrow(
      /\/proc\/api\.sock: it cannot be listened on \(E\w+\)/,
    );
    await expect(service.listen({ listen: 'tcp:80' })).rejects.toThrow(/Write unix:\/PATH, or an address/);
  });
});
