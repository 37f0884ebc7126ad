import { execFileSync } from 'node:child_process';
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it, vi } from 'vitest';
import { ProbesByFile } from './emulator-probes.js';
import { probeHost } from './probe-host.js';
import { probePreload } from './probe-preload.js';
import { probeQemu } from './probe-qemu.js';

const QEMU = '/usr/bin/qemu-system-x86_64';
const folder = mkdtempSync(join(tmpdir(), 'probe-preload-'));
const library = join(folder, 'build/vfio-config-filter.so');
/** A host without SELinux and AppArmor. */
const sysfs = join(folder, 'sys');
const options = { emulator: QEMU, library, sysfs, apparmor: join(folder, 'apparmor') };

function put(file: string, text: string): void {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}

/** A program in place of an emulator. */
function script(name: string, text: string): string {
  put(join(folder, name), `#!/bin/sh\n${text}\n`);
  execFileSync('chmod', ['+x', join(folder, name)]);
  return join(folder, name);
}

describe.skipIf(!existsSync(QEMU))('the preloaded filter on this host', () => {
  beforeAll(() => {
    execFileSync('make', ['-s', '-C', 'qemu/filter', `BUILD=${join(folder, 'build')}`]);
  }, 120_000);
  afterAll(() => rmSync(folder, { recursive: true, force: true }));

  it('is ready where the real QEMU says that it has loaded it', async () => {
    expect(await probePreload(options)).toEqual({
      state: 'ready',
      detail: `${QEMU} was seen to load ${library}`,
    });
  }, 30_000);

  it('is absent without the library, and with one that is none', async () => {
    expect(await probePreload({ ...options, library: `${library}.gone` })).toMatchObject({ state: 'absent' });
    const none = join(folder, 'none.so');
    writeFileSync(none, 'no library');
    expect(await probePreload({ ...options, library: none })).toMatchObject({
      state: 'absent',
      detail: expect.stringContaining('AT_SECURE') as string,
    });
  }, 30_000);

  it('is absent where the loader ignores it, as it does for a program with capabilities of its own', async () => {
    const secure = join(folder, 'secure-program');
    copyFileSync('/bin/true', secure);
    execFileSync('chown', ['nobody', secure]);
    execFileSync('chmod', ['u+s', secure]);
    expect(await probePreload({ ...options, emulator: secure })).toMatchObject({
      state: 'absent',
      detail: expect.stringContaining('AT_SECURE') as string,
    });
  });

  it('is absent where SELinux or AppArmor would keep libvirt from loading it, and says which file', async () => {
    put(join(folder, 'selinux/fs/selinux/enforce'), '1');
    expect(await probePreload({ ...options, sysfs: join(folder, 'selinux') })).toMatchObject({
      state: 'absent',
      detail: expect.stringContaining('SELinux') as string,
    });

    put(join(folder, 'confined/module/apparmor/parameters/enabled'), 'Y\n');
    put(join(folder, 'apparmor/abstractions/libvirt-qemu'), '');
    const confined = { ...options, sysfs: join(folder, 'confined') };
    expect(await probePreload(confined)).toMatchObject({
      state: 'absent',
      detail: expect.stringContaining('local/abstractions/libvirt-qemu lacks it') as string,
    });
    put(
      join(folder, 'apparmor/local/abstractions/libvirt-qemu'),
      'include <abstractions/vfio-warden-filter>\n',
    );
    expect(await probePreload(confined)).toMatchObject({ state: 'ready' });
  }, 30_000);

  it('is unknown where the emulator dies', async () => {
    expect(await probePreload({ ...options, emulator: script('dies', 'exit 3') })).toMatchObject({
      state: 'unknown',
    });
  });

  it('is unknown where the emulator hangs, and what it has started does not hold up the host', async () => {
    const pid = join(folder, 'pid');
    const hangs = script('hangs', `trap '' TERM\nsleep 1000 &\necho $! > ${pid}\nwait`);
    expect(await probePreload({ ...options, emulator: hangs, timeoutMs: 2_000 })).toMatchObject({
      state: 'unknown',
      detail: expect.stringContaining('does not answer within 2 s') as string,
    });
    const started = `/proc/${readFileSync(pid, 'utf8').trim()}/root`;
    await vi.waitFor(() => expect(existsSync(started)).toBe(false));
  });

  it('is unknown where the emulator talks without end', async () => {
    expect(await probePreload({ ...options, emulator: script('talks', 'exec yes') })).toMatchObject({
      state: 'unknown',
      detail: expect.stringContaining('says more than') as string,
    });
  });

  it('of another version is none', async () => {
    const other = script('other', 'echo "vfio-warden-filter: version 2 in place, mode=block rules=0" >&2');
    // The shell loads the real library first, and its line comes first.
    expect((await probePreload({ ...options, library: '/dev/null', emulator: other })).detail).toContain(
      'another version',
    );
  });
});

describe('the property', () => {
  it('is ready where the emulator names both of its options', async () => {
    const patched = script(
      'patched',
      'case "$2" in vfio-pci,help) echo "  x-config-filter=<str>"; echo "  x-config-filter-rules=<str>";; esac',
    );
    expect((await probeQemu(patched)).property).toMatchObject({ state: 'ready' });
    const half = script('half', 'echo "  x-config-filter=<str>"');
    expect((await probeQemu(half)).property).toMatchObject({ state: 'absent' });
  });

  it('is unknown where the emulator hangs, is no program, or is not there', async () => {
    const file = join(folder, 'text');
    put(file, 'no program');
    for (const emulator of [script('sleeps', 'sleep 1000'), file, join(folder, 'gone')]) {
      expect((await probeQemu(emulator, 1_000)).property).toMatchObject({
        state: 'unknown',
        detail: expect.stringContaining(`${emulator} could not be asked`) as string,
      });
    }
  });
});

describe('a host with several emulators', () => {
  it('is asked about each, and one that dies takes nothing from the others', async () => {
    const patched = script('second', 'echo "  x-config-filter=<str>"; echo "  x-config-filter-rules=<str>"');
    const dies = script('third', 'kill -SEGV $$');
    const { qemuConfigFilter } = await probeHost({
      emulator: script('first', 'echo "QEMU emulator version 0"'),
      otherEmulators: [patched, dies],
      sysfs,
      filterLibrary: join(folder, 'no-library.so'),
    });

    expect(qemuConfigFilter.property.state).toBe('absent');
    expect(qemuConfigFilter.others).toMatchObject({
      [patched]: { property: { state: 'ready' }, preload: { state: 'absent' } },
      [dies]: { property: { state: 'unknown', detail: expect.stringContaining('SIGSEGV') as string } },
    });
  });
});

describe('probes by file', () => {
  it('ask one that did not answer again after a while', async () => {
    const file = join(tmpdir(), `emulator-${process.pid}`);
    writeFileSync(file, 'one');
    let minutes = 0;
    const answers = ['no answer', 'no answer', 'yes', 'never asked for'];
    const probes = new ProbesByFile(() => Promise.resolve(answers.shift()!), {
      answered: (answer) => answer === 'yes',
      clock: () => minutes * 60_000,
    });
    const told: string[] = [];
    for (minutes = 0; minutes <= 40; minutes += 5) told.push(await probes.of(file));

    expect(told.join(', ')).toBe('no answer, no answer, no answer, no answer, yes, yes, yes, yes, yes');
    rmSync(file);
  });

  it('ask again only when the file is another one', async () => {
    const file = join(tmpdir(), `emulator-${process.pid}`);
    writeFileSync(file, 'one');
    let asked = 0;
    const probes = new ProbesByFile(() => Promise.resolve((asked += 1)));

    expect([await probes.of(file), await probes.of(file)]).toEqual([1, 1]);
    utimesSync(file, 1, 1);
    expect(await probes.of(file)).toBe(2);
    rmSync(file);
    expect(await probes.of(file)).toBe(3);
  });
});
