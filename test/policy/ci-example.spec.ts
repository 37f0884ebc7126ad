import { execFileSync } from 'node:child_process';
import { chmodSync, cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { delimiter, join } from 'node:path';
import { SaxesParser } from 'saxes';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { parse } from 'yaml';
import { compiledService, REPOSITORY } from '../end-to-end/compiled-service.js';
import { GitRemote } from './git-remote.js';

const EXAMPLE = join(REPOSITORY, 'policies/examples/repository');

interface Pipeline {
  policies: { script: string[]; artifacts: { reports: { junit: string } } };
}

describe('the pipeline of the example repository', () => {
  const remote = new GitRemote();
  const bin = mkdtempSync(join(tmpdir(), 'warden-bin-'));
  const pipeline = parse(readFileSync(join(EXAMPLE, '.gitlab-ci.yml'), 'utf8')) as Pipeline;

  beforeAll(() => {
    const program = join(compiledService(), 'dist/cli/wardenctl.js');
    writeFileSync(join(bin, 'wardenctl'), `#!/bin/sh\nexec ${process.execPath} ${program} "$@"\n`);
    chmodSync(join(bin, 'wardenctl'), 0o755);
    cpSync(EXAMPLE, remote.work, { recursive: true });
    remote.commit('what is in force');
    remote.git('fetch', '--quiet', 'origin');
  }, 120_000);
  afterAll(() => {
    remote.remove();
    rmSync(bin, { recursive: true });
  });

  /** As a runner does: each command in turn, by bash, until one fails. */
  const run = () => {
    rmSync(join(remote.work, 'in-force'), { recursive: true, force: true });
    const script = ['set -eo pipefail', ...pipeline.policies.script].join('\n');
    const environment = {
      PATH: [bin, process.env.PATH].join(delimiter),
      CI_DEFAULT_BRANCH: 'main',
      WARDEN_RISKS: join(REPOSITORY, 'policies/risks'),
    };
    try {
      const printed = remote.run('bash', ['--norc', '-c', script], remote.work, environment);
      return { code: 0, printed };
    } catch (error) {
      const { status, stdout, stderr } = error as { status: number; stdout: string; stderr: string };
      return { code: status, printed: `${stdout}${stderr}` };
    }
  };
  const report = () =>
    readReport(readFileSync(join(remote.work, pipeline.policies.artifacts.reports.junit), 'utf8'));

  it('passes as it is, and tells that nothing changes', () => {
    const { code, printed } = run();
    expect(code, printed).toBe(0);
    expect(printed).toContain('3 passed');
    expect(printed).toContain('0 of 1 domains with assigned devices change');
    expect(report()).toMatchObject({ tests: 3, failures: 0, cases: 3, failed: 0 });
  }, 60_000);

  it('fails where a test of the policies fails, with the case in the report', () => {
    const path = 'policies/50-fleet.yaml';
    const text = readFileSync(join(remote.work, path), 'utf8');
    remote.write(path, text.replace('mode: enforce', 'mode: observe'));
    const { code, printed } = run();
    expect(code, printed).toBe(3);
    expect(report()).toMatchObject({ tests: 3, failures: 2, cases: 3, failed: 2 });
    remote.write(path, text);
  }, 60_000);

  it('fails where a domain would be refused its start, and names it', () => {
    mkdirSync(join(remote.work, 'policies'), { recursive: true });
    remote.write(
      'policies/10-strict.yaml',
      'apiVersion: vfio-warden.dev/v1\nkind: Policy\nmetadata: { name: strict }\nspec:\n  rules:\n' +
        "    - { name: all, match: { devices: [{ class: '01' }] }, mode: enforce, require: [bar-mmio], mitigations: [], uncovered: deny }\n",
    );
    const { code, printed } = run();
    expect(code, printed).toBe(3);
    expect(printed).toMatch(/storage: .* -> denied, WOULD BE REFUSED[^]*strict\/all/);
    rmSync(join(remote.work, 'policies/10-strict.yaml'));
  }, 60_000);

  it('is sound shell', () => {
    const file = join(bin, 'script.sh');
    writeFileSync(file, `#!/bin/bash\nset -eo pipefail\n${pipeline.policies.script.join('\n')}\n`);
    expect(() => execFileSync('shellcheck', [file], { stdio: 'pipe' })).not.toThrow();
  });
});

/** What GitLab and Jenkins read of a report: attributes of suites, and cases with and without a failure. */
function readReport(xml: string) {
  const seen = { tests: 0, failures: 0, cases: 0, failed: 0 };
  const parser = new SaxesParser();
  parser.on('error', (error) => {
    throw error;
  });
  parser.on('opentag', ({ name, attributes }) => {
    if (name === 'testsuite') {
      seen.tests += Number(attributes.tests);
      seen.failures += Number(attributes.failures);
    }
    if (name === 'testcase') {
      seen.cases += 1;
      if (!attributes.name || !attributes.classname) throw new Error('a case has no name');
    }
    if (name === 'failure') seen.failed += 1;
  });
  parser.write(xml).close();
  return seen;
}
