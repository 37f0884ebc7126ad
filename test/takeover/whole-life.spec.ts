import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { compiledService, REPOSITORY } from '../end-to-end/compiled-service.js';
import { guestWith, RESTRICTED } from '../end-to-end/guests.js';
import { fixtureHostMissing } from '../fixtures/host/fixture-host.js';

const missing = fixtureHostMissing();
if (missing !== undefined) console.warn(`skipped: ${missing}`);

describe.skipIf(missing !== undefined)('a host that vfio-warden comes to, and is uninstalled from', () => {
  let seen: Record<string, string>;
  const domains = mkdtempSync(join(tmpdir(), 'warden-life-'));

  beforeAll(() => {
    const service = compiledService();
    for (const [at, name] of ['idle', 'busy'].entries()) {
      writeFileSync(join(domains, `${name}.xml`), guestWith(RESTRICTED[at]!, name));
    }
    const host = ['--host', join(REPOSITORY, 'test/fixtures/inventory/node.json')];
    const life = ['sh', join(REPOSITORY, 'test/takeover/whole-life.sh'), service, REPOSITORY, domains];
    const output = execFileSync(join(REPOSITORY, 'scripts/with-libvirtd.sh'), [...host, ...life], {
      encoding: 'utf8',
      timeout: 170_000,
    });
    seen = Object.fromEntries(
      output
        .trim()
        .split('\n')
        .map((line) => line.split('=') as [string, string]),
    );
  }, 180_000);
  afterAll(() => rmSync(domains, { recursive: true }));

  it('protects domains that any client defines, once its sockets are taken over', () => {
    expect(seen).toMatchObject({ taken_over: 'yes', protected: 'yes yes' });
  });

  it('changes nothing where it is only asked what would be done', () => {
    // 3: the domain that runs needs a decision.
    expect(seen.check).toBe('3 yes yes');
  });

  it('has its sockets back, no hook and no edits of what never ran, and its guest runs on', () => {
    expect(seen).toMatchObject({
      uninstalled: '3',
      sockets_back: 'yes no no',
      hook_gone: 'yes',
      switch: 'off',
      still_moved: 'no yes',
      busy_runs: 'yes',
    });
  });

  it('works without the service, and gives back the rest when it is forced', () => {
    expect(seen).toMatchObject({ works_without: 'yes yes', forced: '0 no yes' });
  });
});
