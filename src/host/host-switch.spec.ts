import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, readdir, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { FileHostSwitch, type ModeChange } from './host-switch.js';

describe('the switch of the host', () => {
  let directory: string;
  let file: string;
  let hostSwitch: FileHostSwitch;
  let changes: ModeChange[];
  let problems: string[];

  const openSwitch = async () => {
    hostSwitch = await FileHostSwitch.open({
      file,
      configured: 'enforce',
      onChange: (change) => changes.push(change),
      onProblem: ({ message }) => problems.push(message),
    });
  };

  beforeEach(async () => {
    directory = await mkdtemp(join(tmpdir(), 'switch-'));
    file = join(directory, 'mode');
    changes = [];
    problems = [];
  });

  afterEach(async () => {
    hostSwitch.close();
    await rm(directory, { recursive: true, force: true });
  });

  it('is at what the configuration says until somebody turns it', async () => {
    await openSwitch();
    expect(hostSwitch).toMatchObject({ mode: 'enforce', source: 'configuration' });
    expect(changes).toEqual([]);
  });

  it('stays where it was turned to, over a restart', async () => {
    await openSwitch();
    await hostSwitch.set('observe');
    expect(hostSwitch).toMatchObject({ mode: 'observe', source: 'file' });
    expect(changes).toEqual([{ from: 'enforce', to: 'observe', source: 'file', byHand: false }]);
    expect(await readFile(file, 'utf8')).toBe('observe\n');
    expect(await readdir(directory)).toEqual(['mode']);
    hostSwitch.close();
    await openSwitch();
    expect(hostSwitch.mode).toBe('observe');
  });

  it('follows the file when somebody writes or removes it, within a second', async () => {
    await openSwitch();
    await writeFile(file, ' off\n');
    await vi.waitFor(() => expect(hostSwitch.mode).toBe('off'), 1000);
    await writeFile(file, 'observe');
    await vi.waitFor(() => expect(hostSwitch.mode).toBe('observe'), 1000);
    await rm(file);
    await vi.waitFor(
      () => expect(hostSwitch).toMatchObject({ mode: 'enforce', source: 'configuration' }),
      1000,
    );
    expect(changes.map(({ to, byHand }) => [to, byHand])).toEqual([
      ['off', true],
      ['observe', true],
      ['enforce', true],
    ]);
  });

  it.each([
    ['another word', () => writeFile(file, 'disabled\n'), /"disabled" is no mode/],
    ['nothing', () => writeFile(file, ''), /it is empty/],
    [
      'control characters',
      () => writeFile(file, '\u001b[2Joff'),
      /: " \[2Joff" is no mode|: "\[2Joff" is no mode/,
    ],
    ['a gigabyte of nothing', () => execFileSync('truncate', ['-s', '1G', file]), /larger than 64 bytes/],
    ['no text', () => writeFile(file, Buffer.from([0xff, 0xfe])), /not valid UTF-8/],
    ['a pipe', () => execFileSync('mkfifo', [file]), /not a regular file/],
    ['a directory', () => mkdir(file), /not a regular file/],
    ['a link in a circle', () => symlink(file, file), /cannot be read \(ELOOP\)/],
    [
      'what everybody may write to',
      () => execFileSync('sh', ['-c', `umask 0; echo off >${file}`]),
      /everybody/,
    ],
  ])('keeps the last mode while the file holds %s, and says so once', async (_, put, problem) => {
    await openSwitch();
    await hostSwitch.set('observe');
    await rm(file);
    await put();
    await vi.waitFor(() => expect(problems.join()).toMatch(problem), 1500);
    await new Promise((resolve) => setTimeout(resolve, 600));
    expect(problems).toHaveLength(1);
    expect(hostSwitch.mode).toBe('observe');
    expect(hostSwitch.problem?.remedy).toBeTruthy();

    await rm(file, { recursive: true });
    await writeFile(file, 'off');
    await vi.waitFor(() => expect(hostSwitch).toMatchObject({ mode: 'off', problem: undefined }), 1000);
  });

  it('refuses to be turned where that could not be kept', async () => {
    await openSwitch();
    await rm(directory, { recursive: true });
    await expect(hostSwitch.set('off')).rejects.toThrow(/the mode cannot be written \(ENOENT\)/);
    expect(hostSwitch.mode).toBe('enforce');
  });

  it('is at what was asked last when many ask at once', async () => {
    await openSwitch();
    await Promise.all((['off', 'observe', 'enforce', 'off'] as const).map((mode) => hostSwitch.set(mode)));
    await vi.waitFor(async () => expect(hostSwitch.mode).toBe((await readFile(file, 'utf8')).trim()));
  });
});
