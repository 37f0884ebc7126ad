import { fork, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { SERVICE_FLAGS } from '../end-to-end/running-service.js';
import { figures, print, remark, time } from './figures.js';
import { writeFleetBundle } from './fleet-bundle.js';
import { Metronomes, type Stall } from './metronomes.js';
import type { Report } from './reloading-process.js';

const PROGRAM = fileURLToPath(new URL('reloading-process.ts', import.meta.url));
const RULES = 10_000;
const ENTRIES = 100_000;
const DECISIONS_A_SECOND = 500;
/** Milliseconds of decisions without a reload, for comparison. */
const QUIET_MS = 20_000;
const WARM_UP_MS = 10_000;
/** Milliseconds between two looks at the memory of the processes that read the revision; each sees its peak until then. */
const LOOK_MS = 200;
/** Milliseconds for which a processor must have stood still to explain anything. */
const STALL_MS = 2;

/** What a large revision that comes into force does to the decisions that arrive meanwhile. */
export async function benchReload(): Promise<void> {
  const directory = mkdtempSync(join(tmpdir(), 'warden-bench-'));
  const bundle = join(directory, 'bundle');
  writeFleetBundle(bundle, { rules: 0, entries: 1, version: 'small' });
  const child = fork(PROGRAM, [bundle, join(directory, 'state'), `${DECISIONS_A_SECOND}`], {
    execArgv: [...SERVICE_FLAGS, '--import', 'tsx'],
    env: { ...process.env, MALLOC_ARENA_MAX: '1' },
  });
  const metronomes = new Metronomes();
  try {
    await once(child, 'message');
    await measure(child, bundle, metronomes);
  } finally {
    metronomes.stop();
    child.kill();
    rmSync(directory, { recursive: true, force: true });
  }
}

async function measure(child: ChildProcess, bundle: string, metronomes: Metronomes): Promise<void> {
  const name = `rules-${RULES}.entries-${ENTRIES}`;
  await sleep(WARM_UP_MS);
  const fill = await time(() => reload(child, bundle, 'first'));
  remark(`the first such revision, in place of a small one, took ${Math.round(fill / 1000)} s`);
  await sleep(WARM_UP_MS);
  await ask(child, 'tell');
  metronomes.take(0);
  await sleep(QUIET_MS);
  const quiet = { ...(await ask(child, 'tell')), stalls: metronomes.take(STALL_MS) };
  let readersPeak = 0;
  const looking = setInterval(
    () => (readersPeak = Math.max(readersPeak, peakOfDescendants(`${child.pid}`))),
    LOOK_MS,
  );
  const during = { ...(await reload(child, bundle, 'second')), stalls: metronomes.take(STALL_MS) };
  clearInterval(looking);
  const took = during.realMs;
  remark(`the next took ${Math.round(took / 1000)} s, ${during.delays.length} decisions meanwhile`);
  print(`reload.${name}`, took, 'ms');
  print(`reload.memory-peak.${name}`, (during.peakBytes + readersPeak) / 1e6, 'MB');
  remark(
    `of the memory ${Math.round(during.peakBytes / 1e6)} MB are the deciding process's, the rest the reading one's`,
  );
  for (const [title, of] of [
    ['decision-delay.longest', ({ delays }: Report) => longest(delays)],
    ['decision-delay.longest-unstalled', unstalled],
    ['decision-delay.p99', ({ delays }: Report) => figures(delays).p99],
    ['processor-stall.longest', ({ stalls }: Seen) => longest(stalls.map(({ from, to }) => to - from))],
  ] as [string, (seen: Seen) => number][]) {
    print(`${title}.quiet`, of(quiet), 'ms');
    print(`${title}.reload`, of(during), 'ms');
    if (of(quiet) > 0) print(`${title}.reload`, of(during) / of(quiet), 'ratio', `${title}.quiet`);
  }
  for (const [what, seen] of Object.entries({ quiet, during })) {
    const { delays, tookMs, realMs } = seen;
    const stalled = delays.filter((_, at) => metStall(seen, at)).length;
    const later = [5, 10, 20, 50].map((ms) => `${delays.filter((delay) => delay > ms).length} over ${ms} ms`);
    remark(
      `${what}: ${delays.length} decisions, ${later.join(', ')}, ${stalled} while a processor stood still; others ran ${Math.round(100 * (1 - tookMs / realMs))} % of the time`,
    );
  }
}

type Seen = Report & { stalls: Stall[] };

const longest = (delays: readonly number[]) => delays.reduce((most, each) => Math.max(most, each), 0);

/** The longest delay of a decision during which no processor stood still. */
function unstalled(seen: Seen): number {
  return longest(seen.delays.filter((_, at) => !metStall(seen, at)));
}

function metStall({ delays, madeAt, stalls }: Seen, at: number): boolean {
  const made = madeAt[at]!;
  return stalls.some(({ from, to }) => from < made && to > made - delays[at]!);
}

async function reload(child: ChildProcess, bundle: string, version: string): Promise<Report> {
  writeFleetBundle(bundle, { rules: RULES, entries: ENTRIES, version });
  await ask(child, 'tell');
  const report = await ask(child, 'reload');
  if (!report.result?.startsWith('activated'))
    throw new Error(`it did not come into force: ${report.result}`);
  return report;
}

/** Bytes that the processes below one had resident at most, those that are there now. */
function peakOfDescendants(pid: string): number {
  const children = read(`/proc/${pid}/task/${pid}/children`).split(' ').filter(Boolean);
  return children.reduce((sum, child) => sum + peakOf(child) + peakOfDescendants(child), 0);
}

function peakOf(pid: string): number {
  return Number(/^VmHWM:\s+(\d+) kB$/m.exec(read(`/proc/${pid}/status`))?.[1] ?? 0) * 1024;
}

/** Empty where the process has ended meanwhile. */
function read(path: string): string {
  try {
    return readFileSync(path, 'latin1');
  } catch {
    return '';
  }
}

async function ask(child: ChildProcess, message: 'tell' | 'reload'): Promise<Report> {
  child.send(message);
  const [answer] = (await Promise.race([
    once(child, 'message'),
    once(child, 'exit').then(() => {
      throw new Error('the process that decides has ended');
    }),
  ])) as [Report];
  return answer;
}
