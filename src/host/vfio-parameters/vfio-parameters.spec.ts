import { mkdir, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { ParameterFiles } from './parameter-files.js';
import type { WantedParameters } from './parameter-plan.js';
import { VfioParameters } from './vfio-parameters.js';

const WANTED: WantedParameters = {
  block: ['144d:a80a'],
  blockRead: false,
  allow: [{ id: '14e4:1657', reason: 'tg3 needs its registers (tg3-private-registers)' }],
};
const OWN = 'etc/modprobe.d/vfio-warden.conf';
const CORE = 'sys/module/vfio_pci_core/parameters';
const WRITE = `${CORE}/block_pci_unassigned_write`;
const READ = `${CORE}/block_pci_unassigned_read`;
const READS_TOO: WantedParameters = { ...WANTED, blockRead: true };

let root: string;

beforeEach(async () => {
  root = await mkdtemp(join(tmpdir(), 'parameters-'));
  await write('etc/modprobe.d/vfio.conf', 'options vfio-pci ids=10de:1234\n');
});
afterEach(() => rm(root, { recursive: true }));

async function write(path: string, text: string): Promise<void> {
  await mkdir(dirname(join(root, path)), { recursive: true });
  await writeFile(join(root, path), text);
}

const read = (path: string) => readFile(join(root, path), 'utf8');

/** As the kernel shows a module that was loaded with these values. */
async function load({ write: block = 'N', read: blockRead = 'N', ids = '' } = {}): Promise<void> {
  await write(WRITE, `${block}\n`);
  await write(READ, `${blockRead}\n`);
  await write(`${CORE}/uaccess_allow_ids`, `${ids}\n`);
}

const unload = () => rm(join(root, 'sys/module/vfio_pci_core'), { recursive: true });

/** What a service does at each of its looks; a new one each time, as after a restart. */
const look = async (wanted: WantedParameters | undefined, held: string[] = []) =>
  new VfioParameters(
    new ParameterFiles({ root, sysfs: join(root, 'sys'), memoryFile: join(root, 'memory.json') }),
  ).converge(() => wanted, new Set(held));

describe('on a kernel without the parameters', () => {
  it('nothing is written', async () => {
    await mkdir(join(root, CORE), { recursive: true });
    const status = await look(WANTED);
    expect(status).toMatchObject({ steps: [], configured: { state: 'none' }, live: { state: 'none' } });
    expect(await readdir(join(root, 'etc/modprobe.d'))).toEqual(['vfio.conf']);
  });
});

describe('on a kernel with the parameters', () => {
  it('they are configured for the next load and set live', async () => {
    await load();
    const status = await look(WANTED);
    expect(status.steps).toEqual(['configured', 'set-live']);
    expect(status).toMatchObject({ configured: { state: 'as-wanted' }, live: { state: 'as-wanted' } });
    expect(await read(OWN)).toContain(
      'options vfio_pci_core block_pci_unassigned_write=Y uaccess_allow_ids=14e4:1657\n',
    );
    expect(await read(WRITE)).toBe('Y\n');
    expect((await look(WANTED)).steps).toEqual([]);
  });

  it('they are not set live while a device that needs its registers is in use and not exempt', async () => {
    await load();
    const status = await look(WANTED, ['14e4:1657']);
    expect(status).toMatchObject({ steps: ['configured'], live: { state: 'pending' } });
    expect(status.live.detail).toContain('14e4:1657 is in use and not in uaccess_allow_ids (tg3 needs');
    expect(await read(WRITE)).toBe('N\n');
  });

  it('a list that exempts a device that is to be closed is told', async () => {
    await load({ write: 'Y', ids: '14e4:1657,144d:a80a' });
    expect((await look(WANTED)).live).toEqual({
      state: 'differs',
      detail: 'uaccess_allow_ids exempts 144d:a80a until vfio_pci_core is loaded anew',
    });
  });

  it('what somebody changes is put right', async () => {
    await load();
    await look(WANTED);
    await write(WRITE, 'N\n');
    await write(OWN, '# gone\n');
    expect((await look(WANTED)).steps).toEqual(['configured', 'set-live']);
    expect(await read(WRITE)).toBe('Y\n');
  });

  it('a module that was unloaded stays configured', async () => {
    await load();
    await look(WANTED);
    await unload();
    await rm(join(root, OWN));
    const status = await look(WANTED);
    expect(status).toMatchObject({ steps: ['configured'], live: { state: 'pending' } });
    expect(status.live.detail).toContain('vfio_pci_core is not loaded');
  });

  it.each([
    [
      'a later file of modprobe.d',
      'etc/modprobe.d/zz.conf',
      'options vfio-pci-core block_pci_unassigned_write=0\n',
    ],
    ["the kernel's command line", 'proc/cmdline', 'quiet vfio_pci_core.block_pci_unassigned_write=n\n'],
  ])('%s that says otherwise is named', async (_, path, text) => {
    await load();
    await write(path, text);
    const { configured } = await look(WANTED);
    expect(configured).toMatchObject({ state: 'differs' });
    expect(configured.detail).toContain(`${join(root, path)} says block_pci_unassigned_write=`);
  });

  it('more devices than the kernel takes keep all as it is', async () => {
    await load();
    const allow = Array.from({ length: 101 }, (_, n) => ({
      id: `8086:${(0x1000 + n).toString(16)}`,
      reason: '',
    }));
    expect(await look({ ...WANTED, allow })).toMatchObject({ steps: [], live: { state: 'differs' } });
  });

  it('what was not to be kept for later is not set either', async () => {
    await load();
    await mkdir(join(root, 'memory.json'));
    const status = await look(WANTED);
    expect(status).toMatchObject({ steps: [], configured: { state: 'differs' }, live: { state: 'differs' } });
    expect(await read(WRITE)).toBe('N\n');
  });
});

describe('reads', () => {
  it('are closed, too, where policy asks for that', async () => {
    await load();
    const status = await look(READS_TOO);
    expect(status.steps).toEqual(['configured', 'set-live', 'set-live-read']);
    expect(await read(OWN)).toContain('block_pci_unassigned_write=Y block_pci_unassigned_read=Y uaccess');
    expect(await read(READ)).toBe('Y\n');
    expect((await look(READS_TOO)).steps).toEqual([]);
  });

  it('are opened again where policy asks for writes alone from now on', async () => {
    await load();
    await look(READS_TOO);
    expect((await look(WANTED)).steps).toEqual(['configured', 'reset-live-read']);
    expect([await read(WRITE), await read(READ)]).toEqual(['Y\n', 'N\n']);
    expect(await read(OWN)).not.toContain('block_pci_unassigned_read');
  });

  it.each(['N', 'Y'])('are given back as they were, %s, and writes, too', async (before) => {
    await load({ read: before });
    await look(READS_TOO);
    await look(undefined);
    expect([await read(WRITE), await read(READ)]).toEqual(['N\n', `${before}\n`]);
  });

  it('are opened again in a module that was loaded with our file', async () => {
    await load();
    await look(READS_TOO);
    await unload();
    await look(READS_TOO);
    await load({ write: 'Y', read: 'Y', ids: '14e4:1657' });
    await look(READS_TOO);
    expect((await look(WANTED)).steps).toEqual(['configured', 'reset-live-read']);
    expect(await read(READ)).toBe('N\n');
  });

  it("stay closed where an operator closed them, and policy doesn't speak of them", async () => {
    await load({ read: 'Y' });
    await look(WANTED);
    expect(await read(READ)).toBe('Y\n');
  });

  it('cannot be closed on a kernel without the parameter for them', async () => {
    await load();
    await rm(join(root, READ));
    const { live, steps } = await look(READS_TOO);
    expect(steps).toEqual(['configured', 'set-live']);
    expect(live).toMatchObject({ state: 'differs' });
    expect(live.detail).toContain('block_pci_unassigned_read: it cannot be written (ENOENT)');
  });
});

describe('giving back', () => {
  it.each(['N', 'Y'])('restores %s, and removes our file only', async (before) => {
    await load({ write: before });
    await look(WANTED);
    await look(undefined);
    expect(await read(WRITE)).toBe(`${before}\n`);
    expect(await readdir(join(root, 'etc/modprobe.d'))).toEqual(['vfio.conf']);
    expect((await look(undefined)).steps).toEqual([]);
  });

  it('gives what the other files say where the module was loaded with ours', async () => {
    await load();
    await look(WANTED);
    await unload();
    await look(WANTED);
    await load({ write: 'Y', ids: '14e4:1657' });
    await look(WANTED);
    expect((await look(undefined)).steps).toEqual(['unconfigured', 'reset-live']);
    expect(await read(WRITE)).toBe('N\n');
  });

  it("leaves an operator's own setting alone where we never set any", async () => {
    await load({ write: 'Y' });
    expect((await look(undefined)).steps).toEqual([]);
    expect(await read(WRITE)).toBe('Y\n');
  });

  it('gives back what a version kept that knew of writes alone', async () => {
    await load({ write: 'Y' });
    await write('memory.json', '{"module":"vfio_pci_core","before":false}');
    expect((await look(undefined)).steps).toEqual(['reset-live']);
    expect(await read(WRITE)).toBe('N\n');
  });

  it('is finished by the next look where it was cut off', async () => {
    await load();
    await look(WANTED);
    await rm(join(root, OWN)); // what a crash right after the first step leaves
    expect((await look(undefined)).steps).toEqual(['reset-live']);
    expect(await read(WRITE)).toBe('N\n');
  });
});
