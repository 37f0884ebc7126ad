import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from 'node:fs';
import { open } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { buildSysfs } from '../../test/fixtures/sysfs/build-sysfs.js';
import { TYPICAL_NODE } from '../../test/fixtures/inventory/typical-node.js';
import { parseBdf } from './bdf.js';
import { Inventory } from './inventory.js';
import { readSysfsInventory } from './sysfs-inventory.js';

const NVME = '0000:81:00.0';
const GPU = '0000:65:00.0';
const PF = '0000:3b:00.0';
const VF = '0000:3b:02.1';
const node = TYPICAL_NODE.inventory;
const get = (bdf: string) => node.get(parseBdf(bdf)!)!;

let root: string;

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'sysfs-'));
});
afterEach(() => {
  rmSync(root, { recursive: true, force: true });
});

/** Where a file of a function stands in the tree. */
const at = (bdf: string, file: string) => join(root, 'devices', bdf, file);

/** Replaces what the tree has there. */
function put(bdf: string, file: string, content: string | Uint8Array): void {
  rmSync(at(bdf, file), { force: true });
  writeFileSync(at(bdf, file), content);
}

function putLink(bdf: string, file: string, target: string): void {
  rmSync(at(bdf, file), { force: true });
  symlinkSync(target, at(bdf, file));
}

describe('reading the inventory of a node', () => {
  it('finds every function with its ids, links and config space', async () => {
    buildSysfs(root, node.functions);

    const { functions, problems } = await readSysfsInventory({ root });

    expect(problems).toEqual([]);
    expect(functions).toEqual(node.functions);
    expect(Inventory.of(functions).revision).toBe(node.revision);
  });

  it('knows the size that a quirk caps config space at', async () => {
    buildSysfs(root, [get('0000:d9:00.0')]);

    const [nfp] = (await readSysfsInventory({ root })).functions;

    expect(nfp).toMatchObject({ configSize: 0x600, express: true });
  });

  it('opens no config space when told not to', async () => {
    buildSysfs(root, [get(NVME)]);

    const { functions, problems } = await readSysfsInventory({ root, readConfigSpace: false });

    expect(problems).toEqual([]);
    expect(functions[0]).not.toHaveProperty('configSpace');
    expect(functions[0]).not.toHaveProperty('express');
  });

  it('reads the machine that the tests run on', async () => {
    const { functions } = await readSysfsInventory();
    const present = existsSync('/sys/bus/pci/devices') ? readdirSync('/sys/bus/pci/devices') : [];

    expect(functions.map((fn) => fn.bdf)).toEqual(present.toSorted());
  });

  it('says so when there is no sysfs', async () => {
    const { functions, problems } = await readSysfsInventory({ root: join(root, 'elsewhere') });

    expect(functions).toEqual([]);
    expect(problems).toEqual([
      expect.objectContaining({
        file: join(root, 'elsewhere/bus/pci/devices'),
        problem: 'it does not exist',
      }),
    ]);
  });
});

describe('devices that must not be touched', () => {
  it.each([
    ['a VM holds it', 'enable', '1\n', 'a VM may hold the function'],
    ['it is powered off', 'power_state', 'D3cold\n', 'powered off (D3cold)'],
  ])('leaves config space alone while %s', async (_, file, content, problem) => {
    buildSysfs(root, [get(NVME), get(GPU)]);
    put(NVME, file, content);

    const { functions, problems } = await readSysfsInventory({ root });

    expect(problems).toEqual([
      expect.objectContaining({ bdf: NVME, file: 'config', problem: expect.stringContaining(problem) }),
    ]);
    expect(functions.map((fn) => [fn.bdf, fn.configSpace?.length])).toEqual([
      [GPU, 4096],
      [NVME, undefined],
    ]);
  });

  it('reads it all the same when told to', async () => {
    buildSysfs(root, [get(NVME)]);
    put(NVME, 'enable', '1\n');

    expect((await readSysfsInventory({ root, readConfigSpace: true })).functions).toEqual([get(NVME)]);
  });

  it('gives up on a read that hangs, and reads the next device', async () => {
    buildSysfs(root, [get(GPU), get(NVME)]);
    rmSync(at(GPU, 'config'));
    execFileSync('mkfifo', [at(GPU, 'config')]);

    const { functions, problems } = await readSysfsInventory({ root, configTimeoutMs: 500 });

    expect(problems).toEqual([
      expect.objectContaining({
        bdf: GPU,
        file: 'config',
        problem: 'the device did not answer within 500 ms',
      }),
    ]);
    expect(functions.map((fn) => [fn.bdf, fn.configSpace?.length])).toEqual([
      [GPU, undefined],
      [NVME, 4096],
    ]);
  });

  it('touches no further device after four that hang', async () => {
    const functions = node.functions.slice(0, 6);
    buildSysfs(root, functions);
    for (const { bdf } of functions) {
      rmSync(at(bdf, 'config'));
      execFileSync('mkfifo', [at(bdf, 'config')]);
    }

    const { problems } = await readSysfsInventory({ root, configTimeoutMs: 200 });

    expect(problems.map((found) => found.problem)).toEqual([
      ...Array(4).fill('the device did not answer within 200 ms'),
      ...Array(2).fill('it was not read: 4 other devices did not answer'),
    ]);
  });
});

describe('a sysfs that lies, or changes meanwhile', () => {
  beforeEach(() => buildSysfs(root, [get(GPU), get(NVME)]));

  /** Reads, expects one problem, and gives the functions that are left. */
  async function expectProblem(bdf: string, file: string, problem: string) {
    const { functions, problems } = await readSysfsInventory({ root });
    expect(problems).toEqual([
      { bdf, file, problem: expect.stringContaining(problem), remedy: expect.stringMatching(/\w/) },
    ]);
    return functions;
  }

  it.each<[string, string, string | undefined, string]>([
    ['vendor', 'a missing file', undefined, 'it does not exist, so the function is left out'],
    ['device', 'an empty file', '', "'' is not 0x and 4 hexadecimal digits"],
    ['class', 'a class of four digits', '0x0108\n', "'0x0108' is not 0x and 6 hexadecimal digits"],
    ['revision', 'something else', 'two\x1b[31m\n', "'two?[31m' is not 0x and 2 hexadecimal digits"],
    ['vendor', 'a huge file', '0x144d\n'.repeat(1_000_000), 'longer than 4096 bytes'],
  ])('leaves out a function whose %s is %s', async (file, _, content, problem) => {
    if (content === undefined) rmSync(at(NVME, file));
    else put(NVME, file, content);

    expect(await expectProblem(NVME, file, problem)).toEqual([get(GPU)]);
  });

  it('leaves out a function whose ids cannot be read', async () => {
    // Reading this process's memory at 0 is an I/O error for everyone.
    putLink(NVME, 'vendor', '/proc/self/mem');

    expect(await expectProblem(NVME, 'vendor', 'it cannot be read (EIO)')).toEqual([get(GPU)]);
  });

  it.skipIf(process.getuid?.() === 0)('names a file that may not be read', async () => {
    execFileSync('chmod', ['000', at(NVME, 'vendor')]);

    expect(await expectProblem(NVME, 'vendor', 'it cannot be read (EACCES)')).toEqual([get(GPU)]);
  });

  it('does not wait for a FIFO in the place of an attribute', async () => {
    rmSync(at(NVME, 'vendor'));
    execFileSync('mkfifo', [at(NVME, 'vendor')]);

    expect(await expectProblem(NVME, 'vendor', 'not a regular file')).toEqual([get(GPU)]);
  });

  it('leaves out a function whose directory is a link to itself', async () => {
    const link = join(root, 'bus/pci/devices', NVME);
    rmSync(link);
    symlinkSync(NVME, link);

    expect(await expectProblem(NVME, 'vendor', 'it cannot be read (ELOOP)')).toEqual([get(GPU)]);
  });

  it.each(['lost+found', '0000:81:20.0', '81:00.0', '0000:81:00.0\n', '0000:AF:00.0'])(
    'leaves out a directory of the name %j',
    async (name) => {
      mkdirSync(join(root, 'bus/pci/devices', name));

      const left = await expectProblem(name.replace('\n', '?'), '', 'not a PCI address');
      expect(left).toHaveLength(2);
    },
  );

  it.each([
    ['driver', 'driver', 'it cannot be read (ELOOP)'],
    ['driver', '/nowhere', 'it points to nothing'],
    ['driver', '../../devices', 'not point into a directory named drivers'],
    ['iommu_group', '../../bus/pci/drivers/vfio-pci', 'not point into a directory named iommu_groups'],
  ])('does not believe a %s link to %s', async (file, target, problem) => {
    putLink(NVME, file, target);

    const left = await expectProblem(NVME, file, problem);
    expect(left.map((fn) => fn.bdf)).toEqual([GPU, NVME]);
    expect(left[1]).not.toHaveProperty(file === 'driver' ? 'driver' : 'iommuGroup');
  });

  it('takes a function for a virtual one even if its owner is unknown', async () => {
    buildSysfs(root, [get(VF)]);

    const [vf] = await expectProblem(VF, 'physfn', 'it points to nothing');
    expect(vf).toMatchObject({ kind: 'vf' });
    expect(vf).not.toHaveProperty('physicalFunction');
  });

  it('notices when a function does not know the one that claims it', async () => {
    buildSysfs(root, [get(PF)]);
    putLink(PF, 'virtfn0', `../${NVME}`);

    await expectProblem(NVME, 'physfn', '0000:3b:00.0 names it as its virtual function');
  });

  it('takes no reset methods from a file that lists none', async () => {
    put(NVME, 'reset_method', '<html>');

    const left = await expectProblem(NVME, 'reset_method', 'not a list of reset methods');
    expect(left[1]?.resetMethods).toEqual([]);
  });

  it.each<[string, Uint8Array, string]>([
    ['all-ones', new Uint8Array(4096).fill(0xff), 'reads all-ones'],
    ['truncated', new Uint8Array(10), 'only 10 bytes'],
    ['empty', new Uint8Array(0), 'only 0 bytes'],
    ['huge', new Uint8Array(20_000_000), 'longer than 4096 bytes'],
    [
      'of another device',
      get('0000:65:00.0').configSpace!,
      'belongs to 10de:2330, but sysfs names 144d:a80a',
    ],
  ])('keeps no config space that is %s', async (_, bytes, problem) => {
    put(NVME, 'config', bytes);

    const left = await expectProblem(NVME, 'config', problem);
    expect(left[1]).toMatchObject({ vendor: '144d' });
    expect(left[1]).not.toHaveProperty('configSpace');
  });

  it('names a config space that cannot be read', async () => {
    putLink(NVME, 'config', '/proc/self/mem');

    await expectProblem(NVME, 'config', 'it cannot be read (EIO)');
  });

  it('leaves out a device that vanishes while the inventory is read', async () => {
    const fifo = at(GPU, 'config');
    rmSync(fifo);
    execFileSync('mkfifo', [fifo]);

    const reading = readSysfsInventory({ root });
    // A FIFO opens when its reader is there: the ids are read by now, and the other device's config space is next.
    const writer = await open(fifo, 'w');
    renameSync(at(NVME, ''), join(root, 'gone'));
    await writer.writeFile(get(GPU).configSpace!);
    await writer.close();

    const { functions, problems } = await reading;
    expect(functions.map((fn) => fn.bdf)).toEqual([GPU]);
    expect(problems).toContainEqual(
      expect.objectContaining({ bdf: NVME, problem: 'it vanished while it was read, and is left out' }),
    );
  });
});
