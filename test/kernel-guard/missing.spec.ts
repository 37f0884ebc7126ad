import { execFileSync, spawnSync } from 'node:child_process';
import { chmod, mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { GuardProgram } from '../../src/host/guard/guard-program.js';
import { probeGuard } from '../../src/host/guard/probe-guard.js';

const SOURCE = fileURLToPath(new URL('../../kernel/guard', import.meta.url));
const LIBRARIES = '/usr/lib/x86_64-linux-gnu';

const possible =
  process.getuid?.() === 0 &&
  ['clang', 'unshare'].every((tool) => spawnSync(tool, ['--version']).error === undefined);
if (!possible) console.warn('skipped: needs root, clang and unshare');

/** The real program, on a host that lacks something: what it cannot find is taken away in a mount namespace of its own. */
describe.skipIf(!possible)('warden-guard on a host', () => {
  let directory: string;

  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'guard-missing-'));
    execFileSync('make', ['-s', '-C', SOURCE, `BUILD=${directory}`, `${directory}/warden-guard`], {
      stdio: 'pipe',
    });
  }, 60_000);
  afterAll(() => rm(directory, { recursive: true }));

  async function without(name: string, hide: string): Promise<GuardProgram> {
    const path = join(directory, name);
    const inside = `set -e; ${hide}; exec ${directory}/warden-guard "$@"`;
    await writeFile(path, `#!/bin/sh\nexec unshare --mount sh -c '${inside}' sh "$@"\n`);
    await chmod(path, 0o755);
    return new GuardProgram(path);
  }

  it('without BTF says so, and attaches nothing', async () => {
    const program = await without('btf', 'mount -t tmpfs none /sys/kernel');
    await expect(program.attach('enforce')).rejects.toThrow(
      'btf: this kernel has no /sys/kernel/btf/vmlinux (CONFIG_DEBUG_INFO_BTF)',
    );
    expect(await probeGuard(program)).toMatchObject({ state: 'absent' });
  });

  it('without libbpf is told in the words of the dynamic linker', async () => {
    const layer = `${directory}/layer`;
    const program = await without(
      'libbpf',
      `mkdir -p ${layer}; mount -t tmpfs none ${layer}; mkdir ${layer}/upper ${layer}/work; ` +
        `mount -t overlay -o lowerdir=${LIBRARIES},upperdir=${layer}/upper,workdir=${layer}/work overlay ${LIBRARIES}; ` +
        `rm ${LIBRARIES}/libbpf.so.1`,
    );
    const { state, detail } = await probeGuard(program);
    expect(state).toBe('absent');
    expect(detail).toContain('libbpf.so.1: cannot open shared object file: No such file or directory');
  });
});
