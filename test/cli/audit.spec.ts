import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { domain, hostdev } from '../fixtures/scenario.js';
import { wardenctl, type Run } from './run-wardenctl.js';

const INVENTORY = ['--inventory', 'test/fixtures/inventory/node.json'];
const NVME = hostdev('0000:81:00.0');
const GPU = hostdev('0000:65:00.0');

/** A domain of that name. */
function named(name: string, xml: string): string {
  return xml.replace('<name>vm</name>', `<name>${name}</name>`);
}

describe('wardenctl audit --xml', () => {
  const made: string[] = [];
  let host: string;
  let told: Run;

  async function directory(files: Readonly<Record<string, string>>): Promise<string> {
    const path = await mkdtemp(join(tmpdir(), 'audit-'));
    made.push(path);
    await Promise.all(Object.entries(files).map(([file, text]) => writeFile(join(path, file), text)));
    return path;
  }

  const audit = (path: string, ...more: string[]) =>
    wardenctl(['audit', '--xml', path, ...INVENTORY, ...more]);

  beforeAll(async () => {
    host = await directory({
      'storage.xml': named('storage', domain(NVME)),
      'gpu.xml': named('gpu', domain(GPU)),
      'old.xml': named('old', domain(NVME, 'pc')),
      'plain.xml': named('plain', domain('')),
    });
    told = await audit(host);
  }, 60_000);
  afterAll(() => Promise.all(made.map((path) => rm(path, { recursive: true, force: true }))));

  it('says for each domain what is open, what is closed, and what enforcing would change', () => {
    const { code, stdout } = told;
    expect(code).toBe(0);
    expect(stdout).toMatch(
      /^storage .*\n {2}0000:81:00\.0 Samsung[^\n]*\n {4}critical +unassigned-extended, host-crash: One write/m,
    );
    expect(stdout).toMatch(/^plain .*\n {2}no assigned devices$/m);
    expect(stdout).toMatch(/closed +unassigned-extended, hidden-capability, aer-registers \(by i440fx\)/);
    expect(stdout).toMatch(/enforcing +changes nothing: unassigned-extended would stay open/);
    expect(stdout).toMatch(/defined anew, conventional-bus closes unassigned-extended/);
  });

  it('ends with what the whole host comes to', () => {
    const summary = told.stdout.slice(told.stdout.indexOf('\nSummary\n'));
    expect(summary).toMatch(/4 domains \(0 running\), 3 with 3 assigned devices/);
    expect(summary).toMatch(/2 can crash the host by what is known of a device or its class: gpu, storage/);
    expect(summary).toMatch(/2 would stay as exposed as they are: gpu, storage/);
    expect(summary).toMatch(/1 would stay: they have what the policy asks for: old/);
    expect(summary).toMatch(/Why not more\n {2}kernel-guard: not available on this host/);
  });

  it('fits into 110 columns, and has no colour where nobody looks', () => {
    const { stdout } = told;
    expect(stdout.split('\n').filter((line) => line.length > 110)).toEqual([]);
    expect(stdout).not.toContain('\x1b');
  });

  it('says what the edits would be where policy changes domains that may have run', async () => {
    const policies = await directory({
      'all.yaml':
        'apiVersion: vfio-warden.dev/v1\nkind: Policy\nmetadata: { name: all }\nspec:\n  rules:\n' +
        '    - { name: every, mode: enforce, require: [unassigned-extended], mitigations: [conventional-bus],\n' +
        '        topologyChange: always, uncovered: deny }\n',
    });
    const { stdout } = await audit(host, '--policies', policies);
    expect(stdout).toMatch(/enforcing +conventional-bus closes unassigned-extended/);
    expect(stdout).toMatch(/edits +controller pci \d+: pcie-to-pci-bridge \d+ is added/);
    expect(stdout).toMatch(/2 would be protected as the policy asks: gpu, storage/);
  });

  it('judges devices of a network that hands out functions, when it is told of the network', async () => {
    const nic = "<interface type='network'><source network='sriov'/></interface>";
    const network = "<network><name>sriov</name><forward mode='hostdev'/></network>";
    const path = await directory({ 'a.xml': named('a', domain(nic)), 'net.xml': network });
    expect((await audit(path)).stdout).toMatch(/a function of network sriov/);
    const alone = await directory({ 'a.xml': named('a', domain(nic)) });
    expect((await audit(alone)).stdout).toMatch(/no assigned devices/);
    expect((await audit(alone, '--hostdev-network', 'sriov')).stdout).toMatch(/a function of network sriov/);
  });

  it('names what it could not read, and judges the rest', async () => {
    const path = await directory({ 'good.xml': domain(NVME), 'bad.xml': '<domain><name>x' });
    const { code, stdout } = await audit(path);
    expect(code).toBe(0);
    expect(stdout).toMatch(/Not seen\n +\S+bad\.xml: line 1, column \d+/);
    expect(stdout).toMatch(/1 domain \(0 running\), 1 with 1 assigned device$/m);
  });

  it('does not let a name steer the terminal', async () => {
    const path = await directory({ 'a.xml': named('a&#x9b;31m', domain(NVME)) });
    // eslint-disable-next-line no-control-regex
    expect((await audit(path)).stdout).not.toMatch(/[\x00-\x09\x0b-\x1f\x7f-\x9f]/);
  });

  it('prints all of it as JSON for machines', async () => {
    const answer: unknown = JSON.parse((await audit(host, '--json')).stdout);
    expect(answer).toMatchObject({
      summary: { domains: 4, exposedToHostCrash: ['gpu', 'storage'] },
      domains: [
        { name: 'gpu' },
        { name: 'old' },
        { name: 'plain', next: { devices: [] } },
        {
          name: 'storage',
          next: {
            devices: [
              {
                device: '0000:81:00.0',
                risks: [{ exposure: 'unassigned-extended', risk: { severity: 'critical' } }],
                enforcing: { outcome: 'impossible', staysOpen: ['unassigned-extended'] },
                ifNew: { outcome: 'protected' },
              },
            ],
          },
        },
      ],
      unseen: [],
    });
  });

  it.each([
    ['critical', 'storage', 3],
    ['short', 'storage', 3],
    ['critical', 'old', 0],
    ['short', 'old', 0],
  ])('with --fail-on %s and only %s ends with %i', async (threshold, name, expected) => {
    const xml = name === 'old' ? domain(NVME, 'pc') : domain(NVME);
    const path = await directory({ [`${name}.xml`]: named(name, xml) });
    expect((await audit(path, '--fail-on', threshold)).code).toBe(expected);
  });

  it('does not pass a host that it could not see all of', async () => {
    const path = await directory({ 'bad.xml': '<domain' });
    expect((await audit(path, '--fail-on', 'critical')).code).toBe(3);
  });

  it.each([
    ['a directory that is not there', ['--xml', '/nowhere'], /\/nowhere.*Name a directory/],
    ['one without XML', ['--xml', 'src/cli'], /src\/cli: no \*\.xml file is here/],
    [
      'a libvirt that is not there',
      ['--socket', '/nowhere'],
      /\/nowhere: libvirt cannot be asked.*--xml DIR/,
    ],
  ])('ends with 2 for %s', async (_, args, message) => {
    const { code, stderr } = await wardenctl(['audit', ...args, ...INVENTORY]);
    expect(stderr).toMatch(message);
    expect(code).toBe(2);
  });
});
