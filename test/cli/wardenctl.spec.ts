import { mkdtemp, readFile, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { beforeAll, describe, expect, it } from 'vitest';
import { domain, hostdev } from '../fixtures/scenario.js';
import { wardenctl } from './run-wardenctl.js';

const INVENTORY = ['--inventory', 'test/fixtures/inventory/node.json'];
const BY_EXAMPLE = ['--policies', 'policies/examples', ...INVENTORY];

describe('wardenctl', () => {
  let directory: string;
  let nvme: string;
  beforeAll(async () => {
    directory = await mkdtemp(join(tmpdir(), 'wardenctl-'));
    nvme = join(directory, 'nvme.xml');
    await writeFile(nvme, domain(hostdev('0000:81:00.0')));
  });

  it('explains what it decides, from a file and from standard input', async () => {
    const { code, stdout } = await wardenctl(['evaluate', nvme, '--new', ...BY_EXAMPLE]);
    expect(code).toBe(0);
    expect(stdout).toMatch(/^vm: restricted\n/);
    expect(stdout).toMatch(/why .*unassigned-extended[^]*stays open[^]*to change/);
    const input = await readFile(nvme, 'utf8');
    const piped = await wardenctl(['evaluate', '-', '--new', ...BY_EXAMPLE], { input });
    expect(piped.stdout).toMatch(/^vm: restricted\n/);
  });

  it('prints the document, the difference, or the decision, and takes the document back', async () => {
    const xml = await wardenctl(['evaluate', nvme, '--new', '--xml', ...BY_EXAMPLE]);
    const undone = await wardenctl(['undo', '-'], { input: xml.stdout });
    expect(undone.stdout).toBe(await readFile(nvme, 'utf8'));
    expect((await wardenctl(['evaluate', nvme, '--new', '--diff', ...BY_EXAMPLE])).stdout).toMatch(
      /^\+.*pcie-to-pci-bridge/m,
    );
    const json = await wardenctl(['evaluate', nvme, '--json', '--at', '2026-01-01T00:00:00Z', ...BY_EXAMPLE]);
    expect(JSON.parse(json.stdout)).toMatchObject({
      decision: { inputs: { evaluatedAt: '2026-01-01T00:00:00.000Z' } },
    });
  });

  it('ends with 3 where the decision is denied, so that scripts can stop', async () => {
    const policies = await mkdtemp(join(tmpdir(), 'policies-'));
    await writeFile(
      join(policies, 'deny.yaml'),
      'apiVersion: vfio-warden.dev/v1\nkind: Policy\nmetadata: { name: deny }\nspec:\n  rules:\n' +
        '    - { name: all, mode: enforce, require: [bar-mmio], mitigations: [], uncovered: deny }\n',
    );
    const { code, stdout } = await wardenctl(['evaluate', nvme, '--policies', policies, ...INVENTORY]);
    expect(code).toBe(3);
    expect(stdout).toMatch(/^vm: refused\n/);
  });

  it.each([
    ['a file that is not there', ['evaluate', '/nowhere.xml'], /nowhere\.xml.*Name a file/],
    ['broken XML', ['evaluate', '-'], /line 1, column \d+: .*well-formed/],
    ['a directory without policies', ['policy', 'validate', 'src'], /src: no \*\.yaml file is here/],
    [
      'an unknown function',
      ['config-space', '0000:99:00.0', ...INVENTORY],
      /0000:99:00\.0: .*no such function/,
    ],
    ['ids that are none', ['risks', 'lookup', 'nvidia'], /no PCI ids/],
    ['a time that is none', ['evaluate', '-', '--at', 'soon', ...BY_EXAMPLE], /--at: soon is no time/],
    ['an unknown option', ['evaluate', '--nonsense'], /unknown option/],
  ])('ends with 2 for %s, and names the place and the remedy', async (_, args, message) => {
    const { code, stderr } = await wardenctl(args, { input: '<domain>' });
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });

  it('shows config space as text and as a picture', async () => {
    const text = await wardenctl(['config-space', '0000:81:00.0', ...INVENTORY]);
    expect(text.stdout).toMatch(/PCI Express/);
    const svg = await wardenctl(['config-space', '0000:81:00.0', '--svg', '-', ...INVENTORY]);
    expect(svg.stdout).toMatch(/^<svg[^]*<\/svg>\s*$/);
  });

  it('reads config space from a file, too', async () => {
    const file = join(directory, 'config');
    await writeFile(file, new Uint8Array(256));
    expect((await wardenctl(['config-space', file])).code).toBe(0);
  });

  it('lists functions, and writes an inventory that decisions can be made by elsewhere', async () => {
    expect((await wardenctl(['inventory', ...INVENTORY])).stdout).toMatch(/^0000:81:00\.0 .*\[144d:a80a\]/m);
    const file = join(directory, 'inventory.json');
    expect((await wardenctl(['inventory', '--output', file, ...INVENTORY])).code).toBe(0);
    const again = await wardenctl([
      'evaluate',
      nvme,
      '--new',
      '--policies',
      'policies/examples',
      '--inventory',
      file,
    ]);
    expect(again.stdout).toMatch(/^vm: restricted\n/);
  });

  it('tells what the risk database says of a device, and whether policies are valid', async () => {
    const risks = await wardenctl(['risks', 'lookup', '19ee:4000', '--json']);
    expect(JSON.stringify(JSON.parse(risks.stdout))).toMatch(/unassigned-extended/);
    const told = await wardenctl(['risks', 'lookup', '0000:af:00.0', ...INVENTORY]);
    expect(told.stdout).toMatch(
      /Risks[^]*unassigned-extended[^]*must stay reachable[^]*0x704[^]*mirror config space[^]*BAR0/,
    );
    expect((await wardenctl(['policy', 'validate', 'policies'])).stdout).toMatch(/^valid: 3 rules/);
  });
});
