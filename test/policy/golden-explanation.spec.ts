import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { wardenctl } from '../cli/run-wardenctl.js';

const directory = mkdtempSync(join(tmpdir(), 'warden-golden-'));
afterAll(() => rmSync(directory, { recursive: true, force: true }));

/** The baseline, with the explanation of one of its tests in a file that a reviewer reads. */
function bundle(name: string): string {
  const path = join(directory, name);
  cpSync('policies', path, { recursive: true });
  const tests = join(path, 'tests/baseline.yaml');
  const rule = "devices: [{ bdf: '0000:81:00.0', rule: baseline/known-dangerous-classes }]";
  const text = readFileSync(tests, 'utf8');
  expect(text).toContain(rule);
  writeFileSync(tests, text.replace(rule, `${rule}\n        explanationFile: baseline/nvme.txt`));
  return path;
}

describe('the explanation that a policy test expects', () => {
  const written = bundle('written');

  it('is written on request, and then holds', async () => {
    expect((await wardenctl(['policy', 'test', written, '--update'])).code).toBe(0);
    expect((await wardenctl(['policy', 'test', written])).code).toBe(0);
  });

  it('holds wherever the bundle is', async () => {
    const elsewhere = join(directory, 'elsewhere');
    cpSync(written, elsewhere, { recursive: true });
    expect(await wardenctl(['policy', 'test', elsewhere])).toMatchObject({ code: 0 });
  });

  it('fails the test where another one comes out, and names the line', async () => {
    const file = join(written, 'tests/baseline/nvme.txt');
    writeFileSync(file, readFileSync(file, 'utf8').replace('mode observe', 'mode enforce'));
    const { code, stdout } = await wardenctl(['policy', 'test', written]);
    expect(code).not.toBe(0);
    expect(stdout).toMatch(/baseline\/nvme\.txt:\d+: the explanation is/);
  });
});
