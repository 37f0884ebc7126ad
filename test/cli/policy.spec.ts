import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { compiledService } from '../end-to-end/compiled-service.js';
import { compiledWardenctl as wardenctl } from './run-wardenctl.js';

const root = mkdtempSync(join(tmpdir(), 'warden-policy-'));
const HOST = ['--host', 'policies/examples/repository/hosts/node-1/inventory.json'];
const DOMAIN = 'policies/examples/repository/hosts/node-1/domains/storage.xml';
const DOMAINS = ['--domains', 'policies/examples/repository/hosts/node-1/domains'];
const RULE = (fields: string) =>
  'apiVersion: vfio-warden.dev/v1\nkind: Policy\nmetadata: { name: more }\nspec:\n  rules:\n' +
  `    - { name: nvme, match: { devices: [{ class: '0108' }] }, ${fields} }\n`;
const BRIDGE =
  'mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus], topologyChange: always';
const DENY = 'mode: enforce, require: [bar-mmio], mitigations: [], uncovered: deny';

let directory: string;
let count = 0;

beforeAll(() => void compiledService(), 120_000);
beforeEach(() => {
  directory = join(root, `${count++}`);
  cpSync('policies/examples/repository', directory, { recursive: true });
});
afterAll(() => rmSync(root, { recursive: true, force: true }));

const json = (stdout: string) => JSON.parse(stdout) as Record<string, unknown>;

describe('wardenctl policy validate', () => {
  it('ends with 0 and says what it read', async () => {
    const { code, stdout } = await wardenctl(['policy', 'validate', directory, '--json']);
    expect(code).toBe(0);
    expect(json(stdout)).toMatchObject({ valid: true, tests: 1, exemptions: [], warnings: [] });
  });

  it('ends with 2 and tells all that is wrong, with place and remedy', async () => {
    writeFileSync(join(directory, 'policies/a.yaml'), RULE('mode: enforced, require: [everything]'));
    const { code, stdout } = await wardenctl(['policy', 'validate', directory, '--json']);
    expect(code).toBe(2);
    const { valid, problems } = json(stdout) as { valid: boolean; problems: Record<string, string>[] };
    expect(valid).toBe(false);
    expect(problems.map(({ place }) => place)).toEqual(
      Array.from(
        { length: problems.length },
        () => expect.stringMatching(/policies\/a\.yaml:\d+:\d+$/) as string,
      ),
    );
    expect(problems.map(({ problem }) => problem).join('\n')).toMatch(/mode[^]*require/);
  });

  it('warns of selectors that match nothing of a host, and of rules that are never reached', async () => {
    const unmatched = RULE('mode: observe, require: risks, mitigations: []').replace(
      "class: '0108'",
      "class: 'ff'",
    );
    writeFileSync(join(directory, 'policies/60-late.yaml'), unmatched);
    const { code, stderr } = await wardenctl(['policy', 'validate', directory, ...HOST]);
    expect(code).toBe(0);
    expect(stderr).toMatch(/warning: .*more\/nvme is never reached/);
    expect(stderr).toMatch(/warning: .*more\/nvme selects class ff, which no function of this host matches/);
  });
});

describe('wardenctl policy test', () => {
  it('ends with 3 where a test fails, and says what differs', async () => {
    const path = join(directory, 'policies/50-fleet.yaml');
    writeFileSync(path, readFileSync(path, 'utf8').replace('mode: enforce', "mode: 'off'"));
    const { code, stdout } = await wardenctl(['policy', 'test', directory, '--json']);
    expect(code).toBe(3);
    expect(json(stdout)).toMatchObject({ passed: 1, failed: 2 });
    expect(stdout).toContain('verdict is unrestricted, expected restricted');
  });

  it('ends with 2 where there is none', async () => {
    rmSync(join(directory, 'tests'), { recursive: true });
    const { code, stderr } = await wardenctl(['policy', 'test', directory]);
    expect(code).toBe(2);
    expect(stderr).toContain('no PolicyTest is here');
  });
});

describe('wardenctl policy diff', () => {
  const diff = (...options: string[]) =>
    wardenctl(['policy', 'diff', 'policies/examples/repository', directory, ...HOST, ...DOMAINS, ...options]);

  it('says that nothing changes', async () => {
    const { code, stdout } = await diff('--fail-on', 'any', '--json');
    expect(code).toBe(0);
    expect(json(stdout)).toMatchObject({ looked: 1, affected: [], disruptive: 0 });
  });

  it.each([
    ['nothing', 0],
    ['denied', 0],
    ['hardware', 3],
    ['any', 3],
  ])('where a domain would get other hardware, ends with --fail-on %s with %i', async (failOn, expected) => {
    writeFileSync(join(directory, 'policies/10-more.yaml'), RULE(BRIDGE));
    const { code, stdout } = await diff('--fail-on', failOn);
    expect(stdout).toMatch(/^storage: unrestricted -> restricted, OTHER GUEST HARDWARE/);
    expect(stdout).toMatch(/rule .*more\/nvme/);
    expect(code).toBe(expected);
  });

  it('where a domain would be refused, says so', async () => {
    writeFileSync(join(directory, 'policies/10-more.yaml'), RULE(DENY));
    const { code, stdout } = await diff('--fail-on', 'denied', '--json');
    expect(code).toBe(3);
    expect(json(stdout)).toMatchObject({ affected: [{ domain: 'storage', after: 'denied', denied: true }] });
  });
});

describe('wardenctl policy explain', () => {
  it('names the rule that decides, and why those before it do not', async () => {
    const { code, stdout } = await wardenctl(['policy', 'explain', directory, DOMAIN, ...HOST]);
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /fleet\/known-dangerous-devices .*: the risk database knows no risk[^]*everything-else .*: DECIDES/,
    );
  });

  it('says which hosts a rollout has reached', async () => {
    writeFileSync(join(directory, 'policies/10-more.yaml'), RULE(`${BRIDGE}, rollout: [{ hosts: 20 }]`));
    const on = async (name: string) =>
      (await wardenctl(['policy', 'explain', directory, DOMAIN, ...HOST, '--host-name', name])).stdout;
    expect(await on('node-2')).toMatch(/^storage: restricted/);
    expect(await on('node-1')).toMatch(
      /^storage: nothing is changed[^]*its rollout has not reached this host yet/,
    );
  });
});

describe('wardenctl policy schema', () => {
  it.each(['Policy', 'RiskList', 'RiskEntry', 'Exemption', 'PolicyTest'])(
    'prints that of a %s',
    async (kind) => {
      const { code, stdout } = await wardenctl(['policy', 'schema', kind]);
      expect(code).toBe(0);
      expect(json(stdout)).toMatchObject({ title: kind, type: 'object' });
    },
  );

  it('ends with 2 for a kind that is none', async () => {
    expect((await wardenctl(['policy', 'schema', 'Pod'])).code).toBe(2);
  });
});
