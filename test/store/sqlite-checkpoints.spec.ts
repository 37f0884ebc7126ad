import SqliteConnection from 'better-sqlite3';
import { existsSync, mkdtempSync, rmSync, statSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { beforeEach, describe, expect, it, vi } from 'vitest';
import { openStore } from '../../src/store/open-store.js';
import { CHECKPOINT_WORKER, compiledService } from '../end-to-end/compiled-service.js';
import { HOST, decisionEntry } from './records.js';

vi.setConfig({ testTimeout: 120_000, hookTimeout: 120_000 });

const MIB = 2 ** 20;
const BATCH = 25;
/** So many that the log is copied several times, and without a pause so that its writer has to help. */
const DECISIONS = 5_000;
const LONGEST_LOG = 80 * MIB;

let directory: string;
let file: string;

beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'warden-checkpoints-'));
  file = join(directory, 'decisions.sqlite');
  return () => rmSync(directory, { recursive: true });
});

const size = (path: string) => (existsSync(path) ? statSync(path).size : 0);

/** Writes decisions, a batch after the other. @returns the log's size at its largest */
async function writeMuch(checkpointProgram: string): Promise<number> {
  const store = await openStore({ sqliteFile: file, host: HOST, checkpointProgram });
  let longest = 0;
  for (let number = 0; number < DECISIONS; number += BATCH) {
    await store.write(Array.from({ length: BATCH }, (_, at) => decisionEntry(number + at)));
    longest = Math.max(longest, size(`${file}-wal`));
    // As the journal does between two batches.
    await sleep(1);
  }
  await store.close();
  return longest;
}

function countDecisions(): number {
  const connection = new SqliteConnection(file, { readonly: true });
  try {
    return connection.prepare<[], number>('select count(*) from decisions').pluck().get()!;
  } finally {
    connection.close();
  }
}

describe("the database's write-ahead log", () => {
  it('is copied into the database by another thread, and gone when the service stops', async () => {
    expect(await writeMuch(join(compiledService(), CHECKPOINT_WORKER))).toBeLessThan(LONGEST_LOG);
    expect(size(`${file}-wal`)).toBe(0);
    expect(countDecisions()).toBe(DECISIONS);
  });

  it('is copied by who writes where the thread cannot be had', async () => {
    expect(await writeMuch(join(directory, 'not-there.js'))).toBeLessThan(LONGEST_LOG);
    expect(size(`${file}-wal`)).toBe(0);
    expect(countDecisions()).toBe(DECISIONS);
  });
});
