import { mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { PolicyProcess } from './policy-process.js';
import type { PolicyJob } from './policy-job.js';
import { WorkerStarter } from './worker-starter.js';

const JOB: PolicyJob = {
  store: '/nowhere',
  from: { kind: 'stored', id: '0' },
  provenance: { source: 'test' },
  now: '2026-01-01T00:00:00.000Z',
} as PolicyJob;

function processesOf(program: string): string[] {
  return readdirSync('/proc').filter((pid) => {
    try {
      return /^\d+$/.test(pid) && readFileSync(`/proc/${pid}/cmdline`, 'utf8').includes(program);
    } catch {
      // It has ended meanwhile.
      return false;
    }
  });
}

describe('who starts the processes that read revisions', () => {
  let directory: string;
  const { PATH } = process.env;
  const run = (program: string) => new PolicyProcess(new WorkerStarter(program)).run(JOB);
  /** A program in the place of what reads revisions. */
  function written(text: string): string {
    const program = join(directory, 'worker.mjs');
    writeFileSync(program, text);
    return program;
  }

  beforeEach(() => void (directory = mkdtempSync(join(tmpdir(), 'warden-worker-'))));
  afterEach(() => {
    process.env.PATH = PATH;
    rmSync(directory, { recursive: true });
  });

  it.each([
    ['setpriv', [], /^the process that reads revisions ended \(shell\): spawn setpriv ENOENT$/],
    ['nice', ['setpriv'], /^the process that reads revisions ended \(127\): .*nice.*not found$/],
  ])('says so where %s is missing', async (_, present, said) => {
    for (const name of present) symlinkSync(`/usr/bin/${name}`, join(directory, name));
    process.env.PATH = directory;
    await expect(run('never-started')).rejects.toThrow(said);
  });

  it('says what a process that fails has said last', async () => {
    const program = written(`console.error('the last words'); process.exitCode = 3;`);
    await expect(run(program)).rejects.toThrow(
      /^the process that reads revisions ended \(3\): the last words$/,
    );
  });

  it('starts one after the other, also after one that was killed in the middle of its answer', async () => {
    const starter = new WorkerStarter(
      written(`
        process.once('message', ({ now }) => {
          if (now === 'kill') process.kill(process.pid, 'SIGKILL');
          else process.send({ kind: 'refused', reason: 'invalid', problems: [now] }, () => process.disconnect());
        });
      `),
    );
    const reader = new PolicyProcess(starter);
    const answers = ['one', 'kill', 'two', 'three'].map((now) =>
      reader.run({ ...JOB, now }).catch((error: Error) => error.message),
    );
    expect(await Promise.all(answers)).toEqual([
      'one',
      'reading the revision takes too much memory',
      'two',
      'three',
    ]);
  });

  it('leaves none behind that nobody waits for', async () => {
    const over = new AbortController();
    const program = written(`
      process.once('message', () => process.send({ kind: 'rules', json: JSON.stringify([]) }));
      setInterval(() => {}, 1000);
    `);
    const turn = new PolicyProcess(new WorkerStarter(program)).run(JOB, over.signal);
    setTimeout(() => over.abort(new Error('given up')), 500);
    await expect(turn).rejects.toThrow('given up');
    expect(processesOf(program)).toEqual([]);
  });
});
