import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, it } from 'vitest';

const root = fileURLToPath(new URL('../../', import.meta.url));

describe('takeover.sh --live, on a libvirtd whose clients never pause', () => {
  let seen: Record<string, unknown>;

  beforeAll(() => {
    const output = execFileSync(
      `${root}scripts/with-libvirtd.sh`,
      ['/usr/bin/python3', `${root}test/takeover/live.py`, `${root}deploy/takeover.sh`],
      { encoding: 'utf8', timeout: 60_000 },
    );
    seen = JSON.parse(output.trim().split('\n').at(-1)!) as Record<string, unknown>;
  }, 70_000);

  it('refuses while no proxy listens, and has changed nothing then', () => {
    expect(seen.without_proxy).toEqual([1, expect.stringContaining('start vfio-warden first')]);
    expect(seen.untouched).toBe(true);
  });

  it('says before and after who has the name', () => {
    expect(seen.before).toEqual([1, expect.stringContaining('clients bypass the proxy')]);
    expect(seen.check).toEqual([0, expect.not.stringContaining('bypass')]);
  });

  it('brings new clients to the proxy, read-only ones to the read-only socket', () => {
    expect(seen).toMatchObject({ through_proxy: true, read_only_stays: true, upstream_mode: '0o700' });
  });

  it('leaves clients that were there before in peace, also on the way back', () => {
    expect(seen).toMatchObject({ early_client_works: true, late_client_works: true });
  });

  it('lets no client find the door closed, there and back several times', () => {
    expect(seen.errors).toEqual([]);
    expect(seen.opened).toBeGreaterThan(100);
  });

  it('may be run twice, and leaves nothing when it is taken back', () => {
    expect(seen.taken_again).toEqual([0, expect.stringContaining('already')]);
    expect(seen.back_again).toEqual([0, '']);
    expect(seen).toMatchObject({ left: [], socket_is_back: true });
  });
});
