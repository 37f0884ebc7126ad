import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { logWords } from './domain-log.js';

const START = '2026-11-26 11:17:13.120+0000: starting up libvirt version: 9.0.0\n';
const READY = 'vfio-warden-filter: 0000:01:00.0 ready, mode=block rules=3c1a000000000000\n';
const WORDS = new Map([['0000:01:00.0', { mode: 'block', digest: '3c1a000000000000' }]]);

describe("a domain's log", () => {
  const folder = mkdtempSync(join(tmpdir(), 'domain-log-'));
  const put = (name: string, text: string) => writeFileSync(join(folder, name), text);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is followed into the file before, of which nothing is concluded that is not there', async () => {
    put('vm.log', `${START}${READY}`);
    expect(await logWords(folder, 'vm')).toEqual({ words: WORDS });

    put('vm.log', 'what QEMU said later\n');
    expect(await logWords(folder, 'vm')).toEqual({
      reason: "the domain's log does not go back to its start",
    });
    put('vm.log.1', `${START}${READY}`);
    expect(await logWords(folder, 'vm')).toEqual({ words: WORDS, incomplete: true });
  });

  it('is none where the name leads elsewhere', async () => {
    expect(await logWords(folder, '../vm')).toHaveProperty('reason');
    expect(await logWords(folder, 'gone')).toHaveProperty('reason');
  });
});
