import { execFileSync } from 'node:child_process';
import { mkdir, mkdtemp, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { readYamlDirectory } from './yaml-directory.js';

describe('a directory of documents', () => {
  let base: string;
  let directory: string;

  beforeEach(async () => {
    base = await mkdtemp(join(tmpdir(), 'documents-'));
    directory = join(base, 'documents');
    await mkdir(directory);
  });

  afterEach(() => rm(base, { recursive: true, force: true }));

  it('gives its *.yaml and *.yml in the order of their names, and nothing else', async () => {
    for (const name of ['b.yml', 'a.yaml', 'README.md', '.hidden.yaml']) {
      await writeFile(join(directory, name), name);
    }
    await mkdir(join(directory, 'examples'));
    await writeFile(join(directory, 'examples', 'c.yaml'), 'c');
    expect(await readYamlDirectory(directory)).toEqual([
      { file: join(directory, 'a.yaml'), text: 'a.yaml' },
      { file: join(directory, 'b.yml'), text: 'b.yml' },
    ]);
  });

  it('follows the links of a mounted ConfigMap', async () => {
    await mkdir(join(directory, '..2026_11_23'));
    await writeFile(join(directory, '..2026_11_23', 'a.yaml'), 'a');
    await symlink('..2026_11_23', join(directory, '..data'));
    await symlink('..data/a.yaml', join(directory, 'a.yaml'));
    expect(await readYamlDirectory(directory)).toMatchObject([{ text: 'a' }]);
  });

  it('follows no link to the outside', async () => {
    await writeFile(join(base, 'secret'), 'secret');
    await symlink('../secret', join(directory, 'a.yaml'));
    await expect(readYamlDirectory(directory)).rejects.toThrow(/a\.yaml: it is a link to outside/);
  });

  it('does not wait for a pipe', async () => {
    execFileSync('mkfifo', [join(directory, 'a.yaml')]);
    await expect(readYamlDirectory(directory)).rejects.toThrow(/not a regular file/);
  });

  it('refuses what is too large, of the wrong encoding, too many, or not there', async () => {
    await expect(readYamlDirectory(directory)).rejects.toThrow(/no \*\.yaml file is here/);
    await expect(readYamlDirectory(join(base, 'none'))).rejects.toThrow(/cannot be read \(ENOENT\)/);
    await writeFile(join(directory, 'a.yaml'), Buffer.alloc(1024 * 1024 + 1, 'a'));
    await expect(readYamlDirectory(directory)).rejects.toThrow(/larger than 1048576 bytes/);
    await writeFile(join(directory, 'a.yaml'), Buffer.from([0xff]));
    await expect(readYamlDirectory(directory)).rejects.toThrow(/a\.yaml:1:1: it is not valid UTF-8/);
    for (let index = 0; index < 256; index++) await writeFile(join(directory, `b${index}.yaml`), '');
    await expect(readYamlDirectory(directory)).rejects.toThrow(/257 files are more than 256/);
  });
});
