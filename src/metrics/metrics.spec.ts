import { describe, expect, it } from 'vitest';
import type { Mode } from '../policy/policy-terms.js';
import { Metrics } from './metrics.js';

describe('what Prometheus is told', () => {
  it('counts decisions by surface and verdict, and how long they took', async () => {
    const metrics = new Metrics('1.2.3');
    metrics.decided('proxy', 'restricted', 0.004);
    metrics.decided('proxy', 'restricted', 0.02);
    const text = await metrics.scrape();
    expect(text).toContain('vfio_warden_decisions_total{surface="proxy",verdict="restricted"} 2');
    expect(text).toContain('vfio_warden_decide_duration_seconds_bucket{le="0.005",surface="proxy"} 1');
    expect(text).toContain(`vfio_warden_build_info{version="1.2.3",node="${process.version}"} 1`);
  });

  it('has every outcome of proxy and hook from the start, so that the first failure is an increase', async () => {
    const metrics = new Metrics('1.2.3');
    expect(await metrics.scrape()).toContain('vfio_warden_proxy_calls_total{outcome="failed-open"} 0');
    metrics.hookCall('start', 'failed-open');
    metrics.proxyCall('refused');
    const text = await metrics.scrape();
    expect(text).toContain('vfio_warden_hook_calls_total{operation="start",outcome="failed-open"} 1');
    expect(text).toContain('vfio_warden_hook_calls_total{operation="prepare",outcome="failed-open"} 0');
    expect(text).toContain('vfio_warden_proxy_calls_total{outcome="refused"} 1');
  });

  it('looks at gauges when it is asked, and is silent about what is not known', async () => {
    const metrics = new Metrics('1.2.3');
    expect(await metrics.scrape()).not.toMatch(/libvirt_connected|unprotected_running|_mode/);

    let [mode, unprotected, connected]: [Mode, number | undefined, boolean] = ['enforce', undefined, true];
    metrics.watch({
      mode: () => mode,
      unprotectedRunning: () => unprotected,
      libvirtConnected: () => connected,
      store: () => ({ state: 'away', pending: 3, lost: 1 }),
    });
    const before = await metrics.scrape();
    expect(before).toContain('vfio_warden_mode{mode="enforce"} 1');
    expect(before).toContain('vfio_warden_libvirt_connected 1');
    expect(before).toContain('vfio_warden_store_up 0');
    expect(before).toContain('vfio_warden_store_pending_entries 3');
    expect(before).not.toMatch(/^vfio_warden_unprotected_running_domains \d/m);

    [mode, unprotected, connected] = ['off', 2, false];
    const after = await metrics.scrape();
    expect(after).toContain('vfio_warden_mode{mode="enforce"} 0');
    expect(after).toContain('vfio_warden_mode{mode="off"} 1');
    expect(after).toContain('vfio_warden_libvirt_connected 0');
    expect(after).toContain('vfio_warden_unprotected_running_domains 2');
  });

  it('tells of policies: what is in force, what waits, exemptions by their state, domains that are out of date', async () => {
    const metrics = new Metrics('1.2.3');
    const day = (days: number) => new Date(Date.now() + days * 24 * 60 * 60 * 1000).toISOString();
    const exemption = (name: string, from: number, expires: number) => ({
      name,
      file: 'e.yaml',
      match: { domains: [{ name: 'vm' }] },
      reason: 'a test',
      owner: 'us',
      ticket: 'OPS-1',
      from: day(from),
      expires: day(expires),
    });
    let stale: number | undefined = 3;
    metrics.watch({
      staleRunning: () => stale,
      policy: () => ({
        source: 'somewhere',
        inForce: { id: 'abc', revision: 'def', commit: '123' },
        pinned: undefined,
        held: { id: 'x', since: day(0), reason: 'too much', domains: 2, disruptive: 2, examples: [] },
        lastSync: { result: 'refused', detail: 'no', at: '2026-11-26T00:00:00.000Z' },
        lastRefusal: undefined,
        lastRequest: undefined,
        underWay: [],
        warnings: [],
        exemptions: [
          exemption('to-come', 1, 20),
          exemption('long', -1, 20),
          exemption('short', -20, 10),
          exemption('gone', -20, -1),
          exemption('gone-too', -20, -2),
        ],
      }),
    });
    const text = await metrics.scrape();
    for (const line of [
      'vfio_warden_stale_running_domains 3',
      'vfio_warden_policy_info{revision="abc",commit="123",pinned="false"} 1',
      'vfio_warden_policy_held 1',
      'vfio_warden_policy_last_sync_failed 1',
      `vfio_warden_policy_last_sync_timestamp_seconds ${Date.parse('2026-11-26') / 1000}`,
      'vfio_warden_exemptions{state="pending"} 1',
      'vfio_warden_exemptions{state="active"} 1',
      'vfio_warden_exemptions{state="expiring"} 1',
      'vfio_warden_exemptions{state="expired"} 2',
    ]) {
      expect(text).toContain(line);
    }
    stale = undefined;
    expect(await metrics.scrape()).not.toMatch(/^vfio_warden_stale_running_domains \d/m);
  });
});
