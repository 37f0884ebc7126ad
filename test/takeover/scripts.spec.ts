import { execFileSync, spawnSync } from 'node:child_process';
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';

const deploy = fileURLToPath(new URL('../../deploy/', import.meta.url));

describe('what is installed on hosts', () => {
  it.each(['install.sh', 'install-hook.sh', 'takeover.sh'])('%s is a clean shell script', (script) => {
    expect(execFileSync('shellcheck', [deploy + script], { encoding: 'utf8' })).toBe('');
  });

  it.each([false, true])('the units are what systemd understands, with drop-ins: %s', (withDropIns) => {
    const directory = mkdtempSync(join(tmpdir(), 'units-'));
    const filter = (path: string) => withDropIns || !path.endsWith('.d');
    cpSync(`${deploy}systemd`, directory, { recursive: true, filter });
    const units = readdirSync(directory, { withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map(({ name }) => join(directory, name));
    for (const path of units) {
      // What the units start is not installed where the tests run.
      writeFileSync(path, readFileSync(path, 'utf8').replaceAll('/usr/sbin/warden-guard', '/bin/true'));
    }
    const environment = { ...process.env, SYSTEMD_LOG_LEVEL: 'warning' };
    // What it does not understand it ignores, says so, and ends with 0.
    const { status, stderr } = spawnSync('systemd-analyze', ['verify', '--man=no', ...units], {
      env: environment,
      encoding: 'utf8',
    });
    expect([status, stderr]).toEqual([0, '']);
    rmSync(directory, { recursive: true });
  });

  it('nothing makes the proxy sockets start but the drop-in that moves those of libvirt', () => {
    for (const name of ['vfio-warden-proxy.socket', 'vfio-warden-proxy-ro.socket']) {
      const unit = execFileSync('cat', [`${deploy}systemd/${name}`], { encoding: 'utf8' });
      expect(unit).not.toContain('[Install]');
      expect(unit).toContain('SocketMode=0660');
    }
  });
});
