import { execFileSync } from 'node:child_process';
import { mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { DecisionJournal, type JournalStatus } from '../../src/store/decision-journal.js';
import { openStore } from '../../src/store/open-store.js';
import { ReopeningStore } from '../../src/store/reopening-store.js';
import { HOST, decisionRecord } from './records.js';

/** In a mount namespace of its own: a disk that gets full and is freed, then one that is read-only and is not any more. */
const [directory, trouble] = process.argv.slice(2) as [string, 'full' | 'read-only'];
mkdirSync(directory, { recursive: true });
execFileSync('mount', ['-t', 'tmpfs', '-o', 'size=24m', 'tmpfs', directory]);
const ballast = join(directory, 'ballast');
writeFileSync(ballast, Buffer.alloc(20 * 2 ** 20));
if (trouble === 'read-only') execFileSync('mount', ['-o', 'remount,ro', directory]);

const store = new ReopeningStore(() => openStore({ sqliteFile: join(directory, 'warden.db'), host: HOST }));
const journal = new DecisionJournal(store, { host: HOST });
let number = 0;
while (journal.status().state === 'ok') {
  for (let n = 0; n < 64; n += 1) journal.decision(decisionRecord((number += 1)));
  await sleep(5);
}
const away: JournalStatus = journal.status();

if (trouble === 'full') rmSync(ballast);
else execFileSync('mount', ['-o', 'remount,rw', directory]);
const flushed = await journal.flush(10_000);
let decisions = 0;
let cursor: string | undefined;
do {
  const page = await store.decisions({ limit: 1000, ...(cursor !== undefined && { cursor }) });
  decisions += page.items.length;
  cursor = page.next;
} while (cursor !== undefined);
const { items: gaps } = await store.events({ limit: 10, kind: 'gap' });
console.log(JSON.stringify({ away, flushed, back: journal.status(), number, decisions, gaps }));
await store.close();
