import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GuardProgram } from './guard-program.js';
import { probeGuard } from './probe-guard.js';

let directory: string;

beforeAll(async () => void (directory = await mkdtemp(join(tmpdir(), 'guard-'))));
afterAll(() => rm(directory, { recursive: true }));

/** A program that says these words and ends with this status. */
async function saying(stdout: string, stderr = '', status = 0): Promise<GuardProgram> {
  const path = join(directory, `guard-${Math.random()}`);
  await writeFile(
    path,
    `#!/bin/sh\n[ "$1" != apply ] || cat >/dev/null\nprintf '%s' '${stdout}'\nprintf '%s' '${stderr}' >&2\nexit ${status}\n`,
  );
  await chmod(path, 0o755);
  return new GuardProgram(path);
}

describe('what the probe says of a host', () => {
  it('without warden-guard', async () => {
    const { state, detail } = await probeGuard(new GuardProgram('/nowhere/warden-guard'));
    expect(state).toBe('absent');
    expect(detail).toContain('/nowhere/warden-guard: it is not installed');
  });

  it('without libbpf, in the words of the dynamic linker', async () => {
    const words =
      'warden-guard: error while loading shared libraries: libbpf.so.1: cannot open shared object file';
    const { state, detail } = await probeGuard(await saying('', words, 127));
    expect(state).toBe('absent');
    expect(detail).toContain('libbpf.so.1: cannot open shared object file');
  });

  it('where the guard is not attached', async () => {
    const answer = '{"ok":true,"attached":false,"tested":false,"missing":["link_access"]}';
    expect(await probeGuard(await saying(answer))).toEqual({
      state: 'absent',
      detail: 'the kernel guard is not attached (link_access missing)',
    });
  });

  it('where it is attached and has answered its test', async () => {
    const answer =
      '{"ok":true,"attached":true,"tested":true,"missing":[],"program":"fadaa5609395eddc","host":{"mode":"enforce"},"devices":[]}';
    expect(await probeGuard(await saying(answer))).toMatchObject({ state: 'ready' });
  });

  it('where it is switched off', async () => {
    const answer =
      '{"ok":true,"attached":true,"tested":true,"missing":[],"host":{"mode":"off"},"devices":[]}';
    expect((await probeGuard(await saying(answer))).detail).toContain('switched off');
  });
});

describe('a refusal of the guard', () => {
  it('keeps its step and its words', async () => {
    const program = await saying('{"ok":false,"step":"btf","problem":"this kernel has no BTF"}', '', 1);
    await expect(program.attach('enforce')).rejects.toThrow('btf: this kernel has no BTF');
    expect(() => program.apply([])).toThrow('btf: this kernel has no BTF');
  });
});
