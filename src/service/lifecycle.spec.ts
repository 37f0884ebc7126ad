import { setTimeout as sleep } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { Lifecycle, type Part } from './lifecycle.js';

function partsThatWriteTo(log: string[], overrides: Record<string, Partial<Part>> = {}): Part[] {
  return ['store', 'hook', 'api'].map((name) => ({
    name,
    start: async () => void log.push(`start ${name}`),
    stop: async () => void log.push(`stop ${name}`),
    ...overrides[name],
  }));
}

describe('Lifecycle', () => {
  it('starts in order and stops in reverse', async () => {
    const log: string[] = [];
    const lifecycle = new Lifecycle(partsThatWriteTo(log));
    await lifecycle.start();
    expect(await lifecycle.stop()).toEqual([]);
    expect(log).toEqual(['start store', 'start hook', 'start api', 'stop api', 'stop hook', 'stop store']);
  });

  it('stops what had started when a start fails', async () => {
    const log: string[] = [];
    const start = () => Promise.reject(new Error('the port is taken'));
    const lifecycle = new Lifecycle(partsThatWriteTo(log, { api: { start } }));
    await expect(lifecycle.start()).rejects.toThrow('the port is taken');
    expect(log).toEqual(['start store', 'start hook', 'stop hook', 'stop store']);
  });

  it('stops the store even when a call never ends', async () => {
    const log: string[] = [];
    const stop = () => sleep(60_000, undefined, { ref: false });
    const lifecycle = new Lifecycle(partsThatWriteTo(log, { api: { stop } }), 50, 20);
    await lifecycle.start();
    const failures = await lifecycle.stop();
    expect(failures).toEqual([
      { name: 'api', reason: expect.objectContaining({ message: 'it did not stop within 50 ms' }) },
    ]);
    expect(log.slice(-2)).toEqual(['stop hook', 'stop store']);
  });

  it('stops the others when one fails to', async () => {
    const log: string[] = [];
    const stop = () => Promise.reject(new Error('no'));
    const lifecycle = new Lifecycle(partsThatWriteTo(log, { hook: { stop } }));
    await lifecycle.start();
    expect(await lifecycle.stop()).toMatchObject([{ name: 'hook' }]);
    expect(log.at(-1)).toBe('stop store');
  });
});
